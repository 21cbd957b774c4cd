"""Fixtures shared by all tests."""

import socket
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the real CTs, reports and the metadata schema; skips where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the shared data folder, which is not at {folder}")
    return folder


@pytest.fixture
def free_port() -> int:
    """A TCP port of this machine that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def cohort(tmp_path_factory) -> Path:
    """A cohort of 24 phantoms of 32^3 voxels: the folder with its datalist.json."""
    from t3d.phantoms import phantoms

    folder = tmp_path_factory.mktemp("cohort")
    phantoms(folder, cases=24, seed=3, shape=32, montage=False)
    return folder


@pytest.fixture(scope="session")
def few(cohort, tmp_path_factory) -> Path:
    """A cohort of 3 training, 1 validation and 2 test cases, for segmentation."""
    from segmentation_runs import small_cohort

    return small_cohort(cohort, tmp_path_factory.mktemp("few"))


@pytest.fixture(scope="session")
def trained_segmentation(few, tmp_path_factory) -> Path:
    """One tiny training of the segmentation bundle and its evaluation: the folder with models and eval."""
    from segmentation_runs import NAMES, run

    folder = tmp_path_factory.mktemp("trained_segmentation")
    run(NAMES, few, folder)
    run((*NAMES, "evaluate"), few, folder)
    return folder


@pytest.fixture(scope="session")
def trained_classification(cohort, tmp_path_factory) -> Path:
    """One tiny training of the classification bundle, evaluated, with predictions and attention in out."""
    from classification_runs import NAMES, infer, run

    folder = tmp_path_factory.mktemp("trained_classification")
    run(NAMES, cohort, folder)
    run((*NAMES, "evaluate"), cohort, folder)
    infer(cohort, folder, output_dir=str(folder / "out"), save_attention=True)
    return folder


@pytest.fixture(scope="session")
def classification_encoder(tmp_path_factory) -> Path:
    """Encoder weights as the pre-training hands them over to the classification bundle."""
    import torch

    from t3d.networks.volume_classifier import VolumeClassifier
    from t3d.weights import save_encoder

    torch.manual_seed(5)
    folder = tmp_path_factory.mktemp("encoder")
    network = VolumeClassifier(num_findings=1, feature_size=12, window_size=2, crop_size=32)
    prepared = {"spacing": [12.0] * 3, "orientation": "RAS", "hu_range": [-1000, 1000], "crop_size": 32}
    save_encoder(network, folder, record={"preprocessing": prepared, "network": {"window_size": 2}})
    return folder / "encoder.safetensors"


@pytest.fixture(scope="session")
def golden_cohorts(tmp_path_factory) -> dict[str, Path]:
    """What the golden runs train on: the folders of a raw and a prepared cohort, and of a text encoder."""
    from golden_cases import make_cohorts

    return make_cohorts(tmp_path_factory.mktemp("golden"))


@pytest.fixture(scope="session")
def release(tmp_path_factory) -> dict[str, Path]:
    """Zips of the three bundles with stand-ins for weights, by the bundle's name."""
    from release import BUNDLES, packed

    return dict(zip(BUNDLES, packed(tmp_path_factory.mktemp("release")), strict=True))
