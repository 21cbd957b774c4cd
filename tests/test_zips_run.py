"""Each zip in an environment made from its card's install line: `make test-zips`."""

import json
import os
import shutil
import subprocess

import pytest
from bundle_runs import REPOSITORY
from release import BUNDLES
from zip_runs import NO_T3D, environment

from t3d.pack.packages import find_bundles, pack_bundles
from t3d.pack.unpack import unpack_zips
from t3d.pack.verify import verify_packages

pytestmark = pytest.mark.zips

TINY = {
    "t3d_pretrain": ["--steps_per_epoch", "2", "--batch_size", "2", "--gauge_batch_size", "2"],
    "t3d_segmentation": ["--allow_absent_classes", "True"],
    "t3d_classification": ["--steps_per_epoch", "2", "--batch_size", "2", "--train_windows", "2"],
}
RESULT = {
    "t3d_pretrain": ("gauges.json", "inference/CASE.safetensors"),
    "t3d_segmentation": ("metrics.json", "inference/CASE_pred.nii.gz"),
    "t3d_classification": ("metrics.json", "inference/predictions.json"),
}
LOADED = """
import torch
from monai.bundle import load
network = load({name!r}, bundle_dir={folder!r}, workflow_type="inference")
expected = torch.load({folder!r} + "/" + {name!r} + "/models/model.pt", weights_only=True)
found = network.state_dict()
assert found.keys() == expected.keys() and all(torch.equal(found[key], expected[key]) for key in expected)
print(len(found), "tensors")
"""


@pytest.fixture(scope="module")
def python():
    """Runs the interpreter of an environment without t3d."""
    interpreter = os.environ.get("T3D_ZIPS_PYTHON")
    if not interpreter:
        pytest.skip("needs T3D_ZIPS_PYTHON, an interpreter with the packages of the cards and no t3d; make test-zips")

    def run(*line, folder):
        done = subprocess.run(
            [interpreter, *line], cwd=folder, env=environment(), capture_output=True, text=True, timeout=900
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done

    run("-c", NO_T3D, folder="/")
    return run


@pytest.mark.parametrize("name", BUNDLES)
def test_a_zip_trains_evaluates_infers_and_loads_from_a_foreign_folder(name, python, cohort, tmp_path):
    shipped = [b for b in find_bundles(REPOSITORY / "bundles") if b.name == name]
    (tmp_path / "no weights" / name).mkdir(parents=True)
    package = pack_bundles(shipped, out_dir=tmp_path / "dist", models_root=tmp_path / "no weights")[0]
    shutil.unpack_archive(package, tmp_path / "bundles")
    bundle, foreign = tmp_path / "bundles" / name, tmp_path / "foreign"
    configs, results = bundle / "configs", bundle / "eval"
    foreign.mkdir()

    def monai(command, *options):
        return python("-m", "monai.bundle", command, *options, folder=foreign)

    def run(*names, more=()):
        files = str([str(configs / f"{part}.json") for part in names])
        return monai("run", "--config_file", files, "--dataset_dir", str(cohort), *more)

    tiny = ["--max_epochs", "1", "--spacing", "[12.0,12.0,12.0]", *TINY[name]]
    run("train", "demo", more=tiny)
    run("train", "demo", "evaluate", more=tiny)
    run("inference", more=["--output_dir", str(results / "inference")])
    case = json.loads((cohort / "datalist.json").read_text())["test"][0]["case_id"]
    for result in RESULT[name]:
        assert (results / result.replace("CASE", case)).is_file(), result
    assert list(foreign.iterdir()) == []
    python("-c", NO_T3D + LOADED.format(name=name, folder=str(bundle.parent)), folder=foreign)

    again = pack_bundles(find_bundles(bundle.parent), out_dir=tmp_path / "trained")
    unpack_zips(again, tmp_path / "published")
    published = tmp_path / "published" / name
    python("-m", "monai.bundle", "verify_net_in_out", "--net_id", "network_def", "--meta_file",
           "configs/metadata.json", "--config_file", "configs/inference.json", folder=published)  # fmt: skip
    assert verify_packages([published])[0].sums["models/model.pt"]


def test_metadata_fit_the_schema(python, shared_data, release, tmp_path):
    shutil.copy(shared_data / "meta_schema_20240725.json", tmp_path / "schema.json")
    for package in release.values():
        shutil.unpack_archive(package, tmp_path)
    code = "from monai.bundle import verify_metadata\n" + "".join(
        f"verify_metadata(meta_file='{name}/configs/metadata.json', filepath='schema.json')\n" for name in release
    )
    python("-c", NO_T3D + code, folder=tmp_path)
