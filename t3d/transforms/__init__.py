"""MONAI dictionary transforms: loading, report text, paired crops, corruption."""
