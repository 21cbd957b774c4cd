"""T3D: vision-language pre-training for high-resolution 3D medical images (after arXiv 2312.01529)."""

__version__ = "0.1.0"
