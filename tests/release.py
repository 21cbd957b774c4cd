"""Packages with small stand-ins for weights, for tests that look at files only."""

import hashlib
import json
import zipfile
from pathlib import Path

from bundle_runs import REPOSITORY

BUNDLES = ("t3d_classification", "t3d_pretrain", "t3d_segmentation")
WEIGHTS = b"weights of a network" * 500
LABELS = {"background": [0, 9], "liver": 6, "kidneys": [2, 3]}
_PREPARED = {"preprocessing": {"spacing": [12.0] * 3, "orientation": "RAS"}, "format_version": 1}
RECORDS = {
    "t3d_pretrain": {
        "network": {"embedding_width": 16},
        "text": {"text_encoder": "/janedoe/at/home/tiny_bert"},
    },
    "t3d_segmentation": {
        "network": {"feature_size": 12},
        "labels": LABELS,
        "encoder_weights": "C:\\Users\\janedoe\\encoder.safetensors",
    },
    "t3d_classification": {"network": {"feature_size": 12}, "findings": ["nodule", "effusion"]},
}


def models(folder: Path) -> Path:
    """A folder with what a training of each bundle leaves, checkpoints and lists of patients included."""
    for bundle, record in RECORDS.items():
        place = folder / bundle
        place.mkdir(parents=True)
        (place / "model.pt").write_bytes(WEIGHTS)
        for name in ("model_last.pt", "model_best.pt", "checkpoint_epoch=3.pt", "label_fraction.json", "notes.txt"):
            (place / name).write_text("{}")
        files = {"model.pt": hashlib.sha256(WEIGHTS).hexdigest()}
        name = "encoder.json" if bundle == "t3d_pretrain" else "model.json"
        (place / name).write_text(json.dumps({**_PREPARED, "files": files, **record}))
    return folder


def packed(folder: Path, **options) -> list[Path]:
    """Zips of all bundles, with these weights."""
    from t3d.pack.packages import find_bundles, pack_bundles

    weights = models(folder / "weights")
    bundles = find_bundles(REPOSITORY / "bundles")
    return pack_bundles(bundles, out_dir=folder / "dist", models_root=weights, **options)


def rewritten(source, target, *, change=None, drop=(), extra=()):
    """A zip with other content: {name: bytes} to change, names to drop, and (ZipInfo or name, bytes) to add."""
    change = change or {}
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            below = info.filename.split("/", 1)[1]
            if below not in drop:
                new.writestr(info, change.get(below, old.read(info)))
        for name, content in extra:
            new.writestr(name, content)
    return target
