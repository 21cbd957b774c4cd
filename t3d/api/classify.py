"""``t3d.classify``: a score for each finding in a CT."""

from pathlib import Path
from typing import NamedTuple

import torch

from t3d.api.ct import CT, open_ct
from t3d.api.model import Model, load
from t3d.bundle.classification_steps import score_steps


class Score(NamedTuple):
    """A finding's calibrated score in [0, 1] and whether it reaches the threshold chosen on validation cases."""

    score: float
    positive: bool


def classify(ct: CT, model: str | Path | Model, *, device: str | torch.device | None = None) -> dict[str, Score]:
    """Score the findings of a CT, as ``inference.json`` of the classification bundle does.

    Args:
        ct: a path (NIfTI file or DICOM folder), a nibabel image, or a tuple of an array in HU and its affine.
        model: a classification: folder, bundle, zip, or what ``t3d.load`` gave (do that for many CTs).
        device: see ``t3d.load``.

    Raises:
        T3DError: the CT or the model cannot be used.
    """
    model = load(model, device=device)
    model.must_be("classification", "t3d.classify")
    image = model.preprocessing({"image": open_ct(ct)})["image"]
    with model.running():
        logits = model.network(image.as_tensor().unsqueeze(0).to(model.device))[0]
    scores = score_steps(model.thresholds)({"pred": logits, "image": image})["pred"].tolist()
    return {
        name: Score(score=score, positive=score >= point["threshold"])
        for (name, point), score in zip(model.thresholds.items(), scores, strict=True)
    }
