"""What runs around the network: gauges, pictures, resume and hand-over handlers for ignite engines."""
