"""One Python call per task, for a path, a nibabel image or an array: ``t3d.embed``, ``.segment``, ``.classify``."""
