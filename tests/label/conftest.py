"""A MONAI Label app with our bundles; `make test-label` makes the environments these tests need."""

import importlib.util
import json
import shutil
import socket
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from bundle_runs import REPOSITORY
from label_app import make_app
from label_server import LabelServer

from t3d.volume.label_table import read_label_table

# Settings of the app's own train.json, as its owner would change them
QUICK = {
    "segmentation": {"crops_per_case": 1, "num_workers": 0},
    "classification": {"train_windows": 2, "num_workers": 0},
}
MODELS = "t3d_segmentation,t3d_classification"


def pytest_collection_modifyitems(items):
    if importlib.util.find_spec("monailabel") is None:
        reason = "needs the environment of a MONAI Label server; make test-label makes it"
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def studies(cohort, tmp_path_factory) -> Path:
    """Five phantoms p0 to p4, as an annotator's folder of NIfTI files."""
    folder = tmp_path_factory.mktemp("studies")
    for number, item in enumerate(json.loads((cohort / "datalist.json").read_text())["training"][:5]):
        shutil.copy(cohort / item["image"], folder / f"p{number}.nii.gz")
    return folder


@pytest.fixture(scope="session")
def labels(cohort) -> list[tuple[Path, dict]]:
    """Label file and findings of the phantoms of ``studies``."""
    items = json.loads((cohort / "datalist.json").read_text())["training"][:5]
    return [(cohort / item["label"], item["findings"]) for item in items]


@pytest.fixture(scope="session")
def served_labels(labels, tmp_path_factory) -> list[Path]:
    """Label maps of the phantoms as annotators save them: organs numbered 1, 2, 3, .. in the server's order."""
    table = read_label_table(REPOSITORY / "bundles" / "t3d_segmentation" / "configs" / "labels_demo.json")
    folder = tmp_path_factory.mktemp("served_labels")
    files = []
    for number, (path, _) in enumerate(labels):
        image = nib.load(path)
        found = np.asanyarray(image.dataobj)
        organs = np.zeros(found.shape, np.uint8)
        for value, numbers in enumerate(table.values()):
            organs[np.isin(found, numbers)] = value
        files.append(folder / f"p{number}.nii.gz")
        nib.save(nib.Nifti1Image(organs, image.affine), files[-1])
    return files


@pytest.fixture(scope="session")
def app(trained_segmentation, trained_classification, tmp_path_factory) -> Path:
    """The app `monaibundle` with both bundles installed, each with its tiny trained model."""
    from t3d.monai_label.install import install_bundle

    app = make_app(tmp_path_factory.mktemp("app"))
    for name, trained in (("segmentation", trained_segmentation), ("classification", trained_classification)):
        install_bundle(REPOSITORY / "bundles" / f"t3d_{name}", app_dir=app, models=trained / "models")
        config = app / "model" / f"t3d_{name}" / "configs" / "train.json"
        config.write_text(json.dumps({**json.loads(config.read_text()), **QUICK[name]}, indent=4))
    return app


@pytest.fixture(scope="session")
def server(app, studies, tmp_path_factory):
    """A running server on copies of the studies."""
    served = shutil.copytree(studies, tmp_path_factory.mktemp("served") / "studies")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("log") / "server.log"
    with LabelServer(app, served, port, log, MODELS) as running:
        yield running
