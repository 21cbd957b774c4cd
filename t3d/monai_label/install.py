"""A trained bundle as a MONAI Label app takes it: a folder of its own below the app's model/."""

import shutil
from pathlib import Path

import t3d
from t3d.errors import T3DError
from t3d.files import write_json
from t3d.monai_label.served_labels import served_metadata, served_record
from t3d.pack.versions import read_metadata
from t3d.weights.model_record import RECORD_NAME
from t3d.weights.record import MODEL, describes, read_record

SERVED = ("t3d_segmentation", "t3d_classification")
_NEVER = shutil.ignore_patterns("__pycache__", "*.pyc")


def install_bundle(bundle: Path, *, app_dir: Path, models: Path | None = None) -> Path:
    """Copy a bundle, a trained model and ``t3d`` itself to ``app_dir/model/NAME``.

    Label values become those that annotators' tools save, see ``served_labels``. Checkpoints of the training are
    left out: MONAI Label would offer them as models.

    Args:
        bundle: folder with ``configs``; its name must be one of ``SERVED``.
        app_dir: folder of the app, with ``main.py``.
        models: folder with ``model.pt``, ``model.json`` and, for a classifier, ``thresholds.json``; None takes
            the bundle's own.

    Returns:
        The new folder.

    Raises:
        T3DError: not an app, not such a bundle, no model, a model that is not the record's, or a folder that is
            there already.
    """
    bundle = bundle.resolve()
    models = models or bundle / "models"
    if bundle.name not in SERVED or not (bundle / "configs" / "metadata.json").is_file():
        raise T3DError(
            f"{bundle} is none of the bundles MONAI Label can serve; give the folder of {' or '.join(SERVED)}"
        )
    if not (app_dir / "main.py").is_file():
        raise T3DError(
            f"{app_dir} is no MONAI Label app (it has no main.py); make one with "
            "`monailabel apps --download --name monaibundle --output apps`"
        )
    target = app_dir / "model" / bundle.name
    if target.exists():
        raise T3DError(f"{target} is there already, perhaps trained by annotators; move it away first")
    record = _record(models)
    metadata = read_metadata(bundle)
    served = {
        "configs/metadata.json": served_metadata(metadata, record),
        f"models/{RECORD_NAME}": served_record(record),
    }

    unfinished = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    for part in ("configs", "docs"):
        shutil.copytree(bundle / part, unfinished / part, ignore=_NEVER)
    own = bundle / "t3d"
    shutil.copytree(own if own.is_dir() else Path(t3d.__file__).parent, unfinished / "t3d", ignore=_NEVER)
    shutil.copy(bundle / "LICENSE", unfinished / "LICENSE")
    (unfinished / "models").mkdir()
    for name in ("model.pt", "thresholds.json"):
        if (models / name).is_file():
            shutil.copy(models / name, unfinished / "models" / name)
    for name, content in served.items():
        write_json(unfinished / name, content, indent=4)
    unfinished.rename(target)
    return target


def _record(models: Path) -> dict:
    """The record of a folder's model, checked against the weights."""
    weights = models / "model.pt"
    for path in (weights, models / RECORD_NAME):
        if not path.is_file():
            raise T3DError(f"{path} does not exist; train the bundle, or give the folder of its models with --models")
    record = read_record(models / RECORD_NAME, kinds=MODEL)
    describes(record, weights, name=RECORD_NAME)
    return record
