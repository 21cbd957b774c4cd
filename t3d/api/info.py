"""``t3d info``: what a model takes and gives, without building its network."""

from pathlib import Path
from typing import Any

from t3d.api.model import model_folder, model_record
from t3d.evaluate.thresholds import read_thresholds
from t3d.networks.encoders import find_backbone
from t3d.volume.label_table import class_values
from t3d.weights.record import settings_of


def describe(model: str | Path) -> dict[str, Any]:
    """What a trained model takes and gives, as JSON can hold it.

    Args:
        model: as for ``t3d.load``.

    Returns:
        ``kind``, ``call`` (the Python call), ``takes`` (how images are prepared: mm, HU, voxels), ``gives`` (labels
        with their values, findings with their thresholds, or the widths of the embedding), ``network``, ``files``
        (name -> SHA-256) and ``made_with`` (versions).

    Raises:
        T3DError: there is no model, or its record is damaged.
    """
    place = Path(model)
    with model_folder(place) as folder:
        _, record = model_record(folder, place)
        settings = settings_of(record)
        return {
            "kind": record["kind"],
            "call": {"encoder": "t3d.embed", "segmentation": "t3d.segment"}.get(record["kind"], "t3d.classify"),
            "takes": {"values": "Hounsfield units", **record["preprocessing"]},
            "gives": _gives(record["kind"], settings, folder),
            "network": {"backbone": "swin", **record["network"]},  # records of t3d 0.1 know one family only
            "files": record["files"],
            "made_with": {part: record.get(part) for part in ("t3d", "monai", "torch")},
        }


def as_text(facts: dict[str, Any]) -> str:
    """The same for a person, one fact a line."""
    takes = facts["takes"]
    lines = [
        f"{facts['kind']}, for {facts['call']}(ct, model)",
        f"takes a CT in Hounsfield units, {takes['hu_range'][0]} to {takes['hu_range'][1]} HU, in any orientation and "
        f"spacing; it is resampled to {' x '.join(map(str, takes['spacing']))} mm, {takes['orientation']}, and read "
        f"in windows of {takes['crop_size']} voxels a side",
    ]
    network = facts["network"]
    stem = f", stem_stride {network['stem_stride']}" if network.get("stem_stride", 1) > 1 else ""
    lines.append(f"looks with a {network['backbone']} encoder, feature_size {network['feature_size']}{stem}")
    gives = facts["gives"]
    if "labels" in gives:
        lines.append("gives a label map on the CT's own grid:")
        lines += [f"  {', '.join(map(str, values)):>5}  {name}" for name, values in gives["labels"].items()]
    elif "findings" in gives:
        lines.append("gives a score from 0 to 1 for each finding, positive from its threshold on:")
        lines += [f"  {point['threshold']:.3f}  {name}" for name, point in gives["findings"].items()]
    else:
        lines.append(f"gives a unit vector of {gives['embedding']} numbers and a map of {gives['channels']} channels")
    lines += [f"{name}  sha256 {digest}" for name, digest in facts["files"].items()]
    made = facts["made_with"]
    lines.append(f"made with t3d {made['t3d']}, monai {made['monai']}, torch {made['torch']}")
    return "\n".join(lines)


def _gives(kind: str, settings: dict[str, Any], folder: Path) -> dict[str, Any]:
    if kind == "segmentation":
        return {"labels": class_values(settings["labels"])}
    if kind == "classification":
        return {"findings": read_thresholds(weights=str(folder / "model.pt"), findings=settings["findings"])}
    return {"embedding": settings.get("embedding_width"), "channels": _map_channels(settings)}


def _map_channels(settings: dict[str, Any]) -> int:
    """Channels of the map that is fused with the text: they double from each of the encoder's maps to the next."""
    family = find_backbone(settings.get("backbone", "swin"))
    finest = 2 if family.name == "swin" else settings.get("stem_stride", 1)
    return settings["feature_size"] * (settings.get("fuse_stride") or family.stride) // finest
