"""What the bundles need inside a MONAI Label server: installed with the right labels, and errors a person can read."""
