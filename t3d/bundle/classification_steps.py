"""What happens to a case of the classification bundle: volume and label vector, windows for training, scores."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from monai.transforms import Compose, DeleteItemsd, EnsureTyped, SelectItemsd, Transform
from torch import nn

from t3d.bundle.augmentation import flips_and_jitter
from t3d.bundle.steps import Preparation, image_steps, stored_volume
from t3d.data.label_files import FindingFilesd
from t3d.monai_label.request_check import CheckRequest
from t3d.transforms.scores import FindingScoresd
from t3d.transforms.window_features import WindowFeatures, WindowFeaturesd
from t3d.transforms.windows import RandRowsd, RandWindowsd


def case_steps(
    *,
    preparation: Preparation,
    findings: Sequence[str],
    window_features: WindowFeatures | None = None,
    prepared: bool = False,
) -> Compose:
    """A whole volume, or what stands for it, and its label vector.

    Args:
        preparation: spacing, orientation, HU window.
        findings: names of the F findings.
        window_features: read these in place of volumes (a frozen encoder).
        prepared: the files are those of ``t3d prepare`` and only crops of them are read (training).
    """
    if window_features is not None:
        image: list[Transform] = [WindowFeaturesd("image", features=window_features)]
    else:
        image = [stored_volume(preparation)] if prepared else image_steps(preparation)
    return Compose(
        [
            FindingFilesd(findings),
            SelectItemsd(["case_id", "patient_id", "image", "label"]),
            EnsureTyped("label", dtype=torch.float32, track_meta=False),
            *image,
        ]
    )


def training_steps(
    *,
    windows: Mapping[str, Any],
    train_windows: int,
    flip_axes: Sequence[int],
    intensity_jitter: float,
    window_features: WindowFeatures | None = None,
    probe_windows: int = 512,
) -> Compose:
    """Some windows of a volume for one step, flipped and jittered; or some of its windows' features as they are.

    Args:
        windows: ``crop_size``, ``overlap``, ``body_level``, ``body_share`` of the network, see ``RandWindowsd``.
        train_windows: windows drawn.
        flip_axes: axes that are mirrored in half of the cases.
        intensity_jitter: see ``flips_and_jitter``.
        window_features: where given, ``probe_windows`` of their rows are drawn.
    """
    if window_features is not None:
        return Compose([RandRowsd("image", rows=probe_windows)])
    draw = RandWindowsd("image", train_windows=train_windows, **windows)
    flip = [0.5 if axis in flip_axes else 0.0 for axis in range(3)]
    return Compose([draw, *flips_and_jitter(("image",), flip=flip, jitter=intensity_jitter)])


def served_steps(*, preparation: Preparation, weights: str, network: nn.Module) -> Compose:
    """A whole volume: inference, also of a MONAI Label server, which reads this flat list by class.

    Args:
        preparation: spacing, orientation, HU window.
        weights, network: what a server would load into what; see ``CheckRequest``.
    """
    # MONAI Label puts a string under image_path, and Spacingd of MONAI 1.6 takes every image_* for a dict
    return Compose(
        [CheckRequest(weights=weights, network=network), DeleteItemsd("image_path"), *image_steps(preparation)]
    )


def score_steps(thresholds: Mapping[str, Mapping[str, Any]]) -> Compose:
    """Logits to calibrated scores; the volume is let go, and MONAI Label does not look for a grid to go back to."""
    return Compose(
        [
            FindingScoresd("pred", thresholds=thresholds),
            EnsureTyped("pred", track_meta=True),
            DeleteItemsd(["image", "image_meta_dict"]),
        ]
    )
