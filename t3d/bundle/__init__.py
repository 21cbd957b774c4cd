"""What every run of a bundle is made of."""
