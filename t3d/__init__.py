"""T3D: vision-language pre-training for high-resolution 3D medical images (after arXiv 2312.01529)."""

from t3d.renamed import install

__version__ = "0.1.0"

install()
