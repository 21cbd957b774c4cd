"""The transforms that a bundle's configurations make, without data, weights and text encoders."""

import json
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from monai.transforms import Compose

ROOT = Path(__file__).resolve().parents[1]
BUNDLES = ROOT / "bundles"
NAMES = ("t3d_pretrain", "t3d_segmentation", "t3d_classification")
LABELS = {"background": [0, 9], "liver": 6, "kidneys": [2, 3], "tumour": 300}
# unlike any default, so that a step that does not read an option shows
OPTIONS: dict[str, Any] = {
    "spacing": [3.0, 4.0, 5.0], "orientation": "LPS", "hu_range": [-500, 700], "crop_size": 64, "labels": LABELS,
    "crops_per_case": 3, "flip": 0.25, "intensity_jitter": 0.1, "lesion_classes": [],
    "foreground_ratio": 1.0, "crop_ratios": None,
    "prepared": False, "output_dir": "out", "save_probabilities": False, "finding_names": ["a", "b"],
    "window_features": None, "train_windows": 5, "overlap": 0.4, "body_level": 0.3, "body_share": 0.1,
    "flip_axes": [0, 2], "probe_windows": 17, "cached_features": False, "use_text": False, "report_cache": True,
    "view_overlap": 0.6, "corruption": 0.3, "sentences": 2, "sections": ["impression"], "drop_comparisons": True,
    "max_tokens": 99, "feature_size": 12, "ckpt_dir": "nowhere", "thresholds": {"a": {"scale": 2.0, "offset": 1.0}},
}  # fmt: skip


def parser(*files: Path, options: dict | None = None) -> ConfigParser:
    """The configurations with ``OPTIONS`` and what a test sets besides."""
    made = ConfigParser()
    made.read_config([str(file) for file in files])
    for key, value in {**OPTIONS, "bundle_root": str(files[0].parents[1]), **(options or {})}.items():
        made[key] = value
    return made


def configs(bundle: str, *names: str, bundles: Path = BUNDLES) -> list[Path]:
    return [bundles / bundle / "configs" / f"{name}.json" for name in names]


def made(bundle: str, names: tuple[str, ...], name: str, **options: Any) -> Any:
    """One thing that a bundle's configurations make."""
    return parser(*configs(bundle, *names), options=options).get_parsed_content(name)


def golden(part: str, name: str, **options: Any) -> Any:
    """The same from the transforms as the configurations of version 0.1.0 wrote them out."""
    written = json.loads((ROOT / "tests" / "golden" / "steps_0.1.json").read_text())[part]
    # what looks at a MONAI Label request needs a network; the step itself is tested elsewhere
    written = {key: None if key == "check_request" else value for key, value in written.items()}
    return ConfigParser(
        {"imports": ["$import numpy as np", "$import torch"], **OPTIONS, **written, **options}
    ).get_parsed_content(name)


def flat(transform: Compose) -> list:
    """All transforms of a composition in their order."""
    found = []
    for one in transform.transforms:
        found += flat(one) if isinstance(one, Compose) else [one]
    return found
