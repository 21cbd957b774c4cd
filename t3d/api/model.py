"""A trained model from a folder, a bundle or a zip: its network, how images are prepared for it, and what it says."""

import logging
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from monai.transforms import Compose
from torch import nn

from t3d.bundle.steps import Preparation, scaled_on_grid
from t3d.errors import T3DError
from t3d.evaluate.thresholds import read_thresholds
from t3d.networks.encoders import find_backbone, segmentation_network
from t3d.networks.recorded import network_settings, pretrain_network
from t3d.networks.text_encoder import TextEncoder
from t3d.networks.volume_classifier import RECORDED, VolumeClassifier
from t3d.volume.label_table import class_values
from t3d.weights import load_model, load_pretrained
from t3d.weights.record import read_record, recorded_amp_dtype, settings_of
from t3d.weights.trained import RECORDS

logger = logging.getLogger(__name__)

WEIGHTS = "model.pt"
# of each family of encoders, what its record must say and what it may say
_SIZES = {"swin": ("feature_size", "window_size"), "segres": ("feature_size",)}
_MORE = {"swin": (), "segres": ("norm", "stem_stride")}
_LARGEST = 8 << 30


@dataclass(frozen=True)
class Model:
    """A network with its weights, and all that an image needs on its way to it and back.

    Attributes:
        kind: ``encoder``, ``segmentation`` or ``classification``.
        network: on its device, in evaluation mode.
        preprocessing: from ``{"image": (1, X, Y, Z) in HU}`` to what the network sees, as in the bundle.
        settings: of the record beside the weights: spacing (mm), orientation, hu_range, crop_size (voxels), ..
        labels: class name -> values, background first; empty for other kinds.
        thresholds: finding -> its operating point; empty for other kinds.
        device, amp_dtype: where and, on CUDA, with which autocast it runs; None means float32.
    """

    kind: str
    network: nn.Module
    preprocessing: Compose
    settings: dict[str, Any]
    labels: dict[str, list[int]]
    thresholds: dict[str, dict[str, Any]]
    device: torch.device
    amp_dtype: torch.dtype | None

    @property
    def crop_size(self) -> int | list[int]:
        """Voxels per side of the windows that the network looks through."""
        return self.settings["crop_size"]

    def must_be(self, kind: str, call: str) -> None:
        """Raise where another kind of model was given to a call."""
        if self.kind != kind:
            calls = {"encoder": "t3d.embed", "segmentation": "t3d.segment", "classification": "t3d.classify"}
            raise T3DError(
                f"{call} was given a model of kind {self.kind}: use {calls[self.kind]}, or give it a model of the "
                f"bundle t3d_{'pretrain' if kind == 'encoder' else kind}"
            )

    @contextmanager
    def running(self) -> Iterator[None]:
        """No gradients, and the autocast of the training where there is one."""
        enabled = self.amp_dtype is not None
        with torch.no_grad(), torch.autocast(self.device.type, dtype=self.amp_dtype, enabled=enabled):
            yield


def load(model: str | Path | Model, *, device: str | torch.device | None = None) -> Model:
    """Read a model.

    Args:
        model: what a training left (the folder with ``model.pt`` and ``encoder.json`` or ``model.json``), a bundle
            that has it under ``models/``, or a bundle's zip. A ``Model`` is handed through.
        device: ``"cpu"``, ``"cuda:0"`` ..; by default the first GPU, else the CPU.

    Raises:
        T3DError: there is no model, it is damaged, or its record and its weights contradict each other.
    """
    if isinstance(model, Model):
        return model
    place = Path(model)
    with model_folder(place) as folder:
        record, settings = _record(folder, place)
        return _built(
            folder, record, settings, torch.device(device or ("cuda:0" if torch.cuda.is_available() else "cpu"))
        )


@contextmanager
def model_folder(place: Path) -> Iterator[Path]:
    """The folder with weights and record that a folder, a bundle or a zip holds; a zip's is gone afterwards."""
    if place.is_file() and zipfile.is_zipfile(place):
        with tempfile.TemporaryDirectory(prefix="t3d_") as folder:
            _unzip_models(place, Path(folder))
            yield Path(folder)
        return
    for own in (place, place / "models"):
        if any((own / name).is_file() for name in RECORDS):
            yield own
            return
    raise T3DError(
        f"{place} holds no trained model: neither it nor its folder models/ has {' or '.join(RECORDS)}; give the "
        "--ckpt_dir of a training, an unpacked bundle, or its zip"
    )


def _unzip_models(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        for member in file.infolist():
            parts = PurePosixPath(member.filename).parts
            # only plain files BUNDLE/models/NAME, under names of our own making: nothing leaves the folder
            if len(parts) == 3 and parts[1] == "models" and not member.is_dir():
                if member.file_size > _LARGEST:
                    raise T3DError(
                        f"{archive}: {member.filename} says it unpacks to {member.file_size} bytes; refused"
                    )
                (folder / parts[2]).write_bytes(file.read(member))


def model_record(folder: Path, place: Path) -> tuple[str, dict[str, Any]]:
    """Name and content of the record in a model's folder; `place` is what the user gave, for the message."""
    name = next((name for name in RECORDS if (folder / name).is_file()), None)
    if name is None:
        raise T3DError(f"{place} holds no trained model: no {' or '.join(RECORDS)} under models/; give another")
    return name, read_record(folder / name, kinds=RECORDS[name])


def _record(folder: Path, place: Path) -> tuple[Mapping[str, Any], dict[str, Any]]:
    name, record = model_record(folder, place)
    settings = settings_of(record)
    sizes = _SIZES[_backbone(settings)]
    missing = [key for key in ("spacing", "orientation", "hu_range", "crop_size", *sizes) if key not in settings]
    if missing:
        raise T3DError(f"{name} in {place} does not say {', '.join(missing)}; use the record of the training itself")
    return record, settings


def _built(folder: Path, record: Mapping[str, Any], settings: dict[str, Any], device: torch.device) -> Model:
    kind = record["kind"]
    labels: dict[str, list[int]] = {}
    thresholds: dict[str, dict[str, Any]] = {}
    backbone = _backbone(settings)
    sizes = {key: settings[key] for key in (*_SIZES[backbone], *_MORE[backbone]) if key in settings}
    network: nn.Module
    if kind == "encoder":
        network = pretrain_network(network_settings(settings), text_encoder=_text_encoder(settings))
    elif kind == "segmentation":
        labels = class_values(settings["labels"])
        network = segmentation_network(backbone, in_channels=1, out_channels=len(labels), **sizes)
    elif kind == "classification":
        findings = settings["findings"]
        options = {key: settings[key] for key in ("crop_size", *RECORDED) if key in settings}
        network = VolumeClassifier(num_findings=len(findings), **{**options, **sizes, "backbone": backbone})
        thresholds = read_thresholds(weights=str(folder / WEIGHTS), findings=findings)
    else:
        raise T3DError(
            f"{folder} holds a network of kind {kind}: only encoders, segmentations and classifications run"
        )
    (load_pretrained if kind == "encoder" else load_model)(network, folder / WEIGHTS)
    preparation = Preparation(
        spacing=settings["spacing"], orientation=settings["orientation"], hu_range=settings["hu_range"]
    )
    return Model(
        kind=kind,
        network=network.to(device).eval(),
        preprocessing=Compose(scaled_on_grid(preparation)),
        settings=settings,
        labels=labels,
        thresholds=thresholds,
        device=device,
        amp_dtype=recorded_amp_dtype(record) if device.type == "cuda" else None,
    )


def _backbone(settings: Mapping[str, Any]) -> str:
    """The name of the family of encoders; records of t3d 0.1 know one only."""
    return find_backbone(settings.get("backbone", "swin")).name


def _text_encoder(settings: Mapping[str, Any]) -> TextEncoder | None:
    """A text encoder that was trained along, which is part of the weights."""
    if not settings.get("use_text", True) or settings.get("report_cache", True):
        return None
    return TextEncoder(
        name=settings["text_encoder"],
        revision=settings.get("text_revision"),
        trained_layers=settings.get("trained_text_layers", 0),
    )
