"""Fixtures shared by all tests."""

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

# Modules of half a minute and more. They are begun first: a long one that is begun last keeps one worker busy while
# the other has nothing left.
LONG = (
    *("study_run", "export_segmentation", "golden_runs", "prepared_bundles", "golden_old_files", "segres_bundles"),
    *("stem_bundles", "pretrain_resume", "segmentation_resume", "segmentation_bundle", "pretrain_bundle", "api"),
    *("classification_resume", "classification_bundle", "zero_shot_bundle", "prepare_cohort", "federated"),
    *("without_text_packages", "classification_faults", "export_classification", "export_pretrain", "gather"),
    *("segmentation_start", "study_cells", "tracking", "real_ct", "wheel", "diverged", "engine_options"),
)


def pytest_configure(config: pytest.Config) -> None:
    """Let xdist keep the order of the modules, where it would begin with those of the most tests."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of long modules come first, each module's own in their order."""
    place = {f"test_{name}": number for number, name in enumerate(LONG)}
    assert all(Path(__file__).with_name(f"{name}.py").is_file() for name in place), "a module of LONG has another name"
    items.sort(key=lambda item: place.get(item.path.stem, len(LONG)))


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
def made_once(tmp_path_factory) -> Callable[[str, Callable[[Path], object]], Path]:
    """A folder that one worker of the run makes; each other gets a copy of its own."""
    from t3d.study.lock import locked

    def folder_of(name: str, make: Callable[[Path], object]) -> Path:
        folder = tmp_path_factory.mktemp(name)
        if "PYTEST_XDIST_WORKER" not in os.environ:
            make(folder)
            return folder
        shared = tmp_path_factory.getbasetemp().parent / f"made_once_{name}"
        with locked(shared.with_suffix(".lock")):
            if not shared.exists():
                make(folder)
                shutil.copytree(folder, shared)  # tests write into what they get
                return folder
        shutil.copytree(shared, folder, dirs_exist_ok=True)
        return folder

    return folder_of


@pytest.fixture(scope="session")
def cohort(made_once) -> Path:
    """A cohort of 24 phantoms of 32^3 voxels: the folder with its datalist.json."""
    from t3d.phantoms import phantoms

    return made_once("cohort", lambda folder: phantoms(folder, cases=24, seed=3, shape=32, montage=False))


@pytest.fixture(scope="session")
def few(cohort, tmp_path_factory) -> Path:
    """A cohort of 3 training, 1 validation and 2 test cases, for segmentation."""
    from segmentation_runs import small_cohort

    return small_cohort(cohort, tmp_path_factory.mktemp("few"))


@pytest.fixture(scope="session")
def trained_segmentation(few, made_once) -> Path:
    """One tiny training of the segmentation bundle and its evaluation: the folder with models and eval."""
    from segmentation_runs import NAMES, run

    def make(folder: Path) -> None:
        run(NAMES, few, folder)
        run((*NAMES, "evaluate"), few, folder)

    return made_once("trained_segmentation", make)


@pytest.fixture(scope="session")
def trained_classification(cohort, made_once) -> Path:
    """One tiny training of the classification bundle, evaluated, with predictions and attention in out."""
    from classification_runs import NAMES, infer, run

    def make(folder: Path) -> None:
        run(NAMES, cohort, folder)
        run((*NAMES, "evaluate"), cohort, folder)
        infer(cohort, folder, output_dir=str(folder / "out"), save_attention=True)

    return made_once("trained_classification", make)


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
def golden_cohorts(made_once) -> dict[str, Path]:
    """What the golden runs train on: the folders of a raw and a prepared cohort, and of a text encoder."""
    from golden_cases import COHORTS, make_cohorts

    folder = made_once("golden", make_cohorts)
    return {name: folder / name for name in COHORTS}


@pytest.fixture(scope="session")
def release(tmp_path_factory) -> dict[str, Path]:
    """Zips of the three bundles with stand-ins for weights, by the bundle's name."""
    from release import BUNDLES, packed

    return dict(zip(BUNDLES, packed(tmp_path_factory.mktemp("release")), strict=True))
