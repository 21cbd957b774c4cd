import json
import shutil
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest
import torch
from bundle_runs import REPOSITORY, environment
from monai.bundle import ConfigWorkflow, load, verify_metadata
from monai.networks.nets import SwinUNETR
from segmentation_runs import BUNDLE, NAMES, config_files, places, run, small_cohort
from zip_runs import python_without_t3d

import t3d
from t3d.volume.label_table import read_label_table

# What a user of load(), MONAI Label or a federated client has: MONAI, and no t3d.
WITHOUT_T3D = """
import sys
sys.modules["t3d"] = None
"""


def read(name):
    return json.loads((BUNDLE / "configs" / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def bundle(trained_segmentation, tmp_path_factory):
    """The bundle as a folder of its own, with trained_segmentation weights."""
    folder = shutil.copytree(BUNDLE, tmp_path_factory.mktemp("zoo") / "t3d_segmentation")
    shutil.copytree(trained_segmentation / "models", folder / "models", dirs_exist_ok=True)
    return folder


def python(code, folder):
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_T3D + code], cwd=folder, env=environment(), capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result


def test_monai_finds_all_properties_without_data_with_the_t3d_that_a_package_brings(tmp_path):
    package = shutil.copytree(BUNDLE, tmp_path / "t3d_segmentation")
    shutil.copytree(REPOSITORY / "t3d", package / "t3d")
    done = python_without_t3d(
        f"""
from monai.bundle import ConfigWorkflow
for kind in ("train", "inference"):
    workflow = ConfigWorkflow(config_file={str(package / "configs")!r} + f"/{{kind}}.json", workflow_type=kind,
                              logging_file=False, dataset_dir="nowhere", output_dir="out")
    workflow.initialize()
    assert workflow.check_properties() == [], (kind, workflow.check_properties())
import t3d
assert t3d.__file__.startswith({str(package)!r})
""",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr


def test_the_network_takes_and_gives_what_the_metadata_says_without_t3d(tmp_path):
    python(
        f"""
from monai.bundle import verify_net_in_out
verify_net_in_out(net_id="network_def", meta_file={str(BUNDLE / "configs" / "metadata.json")!r},
                  config_file={config_files("train")[0]!r}, bundle_root={str(BUNDLE)!r}, network_def#feature_size=12)
""".replace("network_def#feature_size=12", "**{'network_def#feature_size': 12}"),
        tmp_path,
    )


def test_load_returns_the_trained_network_without_t3d_and_without_arguments(bundle, tmp_path):
    python(
        f"""
import torch
from monai.bundle import load
expected = torch.load({str(bundle / "models" / "model.pt")!r}, weights_only=True)
for kind in ("train", "inference"):
    found = load("t3d_segmentation", bundle_dir={str(bundle.parent)!r}, workflow_type=kind).state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected), kind
""",
        tmp_path,
    )
    # the sizes come from the record beside the weights: without it the default network has other shapes
    (bundle / "models" / "model.json").rename(bundle / "models" / "hidden.json")
    try:
        with pytest.warns(UserWarning):
            network = load("t3d_segmentation", bundle_dir=bundle.parent, net_override={"feature_size": 24})
    finally:
        (bundle / "models" / "hidden.json").rename(bundle / "models" / "model.json")
    assert network.swinViT.patch_embed.proj.weight.shape[0] == 24


def test_metadata_fits_the_schema_the_package_and_the_label_table(shared_data, tmp_path):
    schema = shutil.copy(shared_data / "meta_schema_20240725.json", tmp_path / "schema.json")
    verify_metadata(meta_file=str(BUNDLE / "configs" / "metadata.json"), filepath=str(schema))
    metadata = read("metadata")
    assert metadata["version"] == t3d.__version__ and metadata["version"] in metadata["changelog"]
    outputs = metadata["network_data_format"]["outputs"]["pred"]
    assert {name: int(number) for number, name in outputs["channel_def"].items()} == read("labels_btcv")
    assert outputs["num_channels"] == len(read("labels_btcv"))


@pytest.mark.parametrize("name", ["labels_btcv", "labels_demo", "labels_tumour"])
def test_shipped_label_tables_are_valid(name):
    assert list(read_label_table(BUNDLE / "configs" / f"{name}.json"))[0] == "background"


def test_demo_labels_are_those_of_the_phantoms(cohort):
    values = json.loads((cohort / "labels.json").read_text())
    table = read_label_table(BUNDLE / "configs" / "labels_demo.json")
    assert sorted(value for numbers in table.values() for value in numbers) == sorted(values.values())
    assert values["liver"] in table["liver"] and values["kidney_left"] in table["kidneys"]


def test_stages_agree_on_preparation_and_on_results():
    train, inference, evaluate = read("train"), read("inference"), read("evaluate")
    of_inference, of_evaluation = {"save_probabilities": "@save_probabilities"}, {"lesion_classes": "@lesion_classes"}
    assert inference["postprocessing"] | of_evaluation == evaluate["validate#postprocessing"] | of_inference
    assert train["validate"]["inferer"] == inference["inferer"]
    for key in ("network_def", "swin", "segres", "folded", "backbone", "norm", "stem_stride",
                "labels", "given_labels", "default_labels", "class_names", "record", "recorded",
                "bundle_root", "preparation", "crop_size", "feature_size", "window_size", "sw_batch_size", "overlap",
                "blend_on_cpu", "spacing", "orientation", "hu_range"):  # fmt: skip
        assert train[key] == inference[key], key


def test_training_leaves_what_the_other_stages_need(trained_segmentation):
    models = trained_segmentation / "models"
    record = json.loads((models / "model.json").read_text())
    assert record["network"].items() >= {"backbone": "swin", "feature_size": 12, "window_size": 2}.items()
    assert not {"norm", "stem_stride"} & record["network"].keys()
    assert record["preprocessing"] == {
        "spacing": [12.0, 12.0, 12.0], "orientation": "RAS", "hu_range": [-1000, 1000], "crop_size": 64
    }  # fmt: skip
    assert record["labels"] == read("labels_demo") and record["model"] == "best"
    state = torch.load(models / "model.pt", weights_only=True)
    SwinUNETR(in_channels=1, out_channels=9, feature_size=12, window_size=2).load_state_dict(state)
    for name in ("model_best.pt", "model_last.pt", "checkpoint_epoch=2.pt"):
        assert (models / name).is_file(), name
    assert (trained_segmentation / "eval" / "segmentation.png").stat().st_size > 1000
    assert list((trained_segmentation / "eval" / "tensorboard").glob("events*"))


def test_evaluation_scores_every_test_case_on_its_own_grid(trained_segmentation, few):
    metrics = json.loads((trained_segmentation / "eval" / "metrics.json").read_text())
    assert metrics["cases"] == 2 and metrics["failed"] == []
    assert list(metrics["classes"]) == [name for name in read("labels_demo") if name != "background"]
    for item in json.loads((few / "datalist.json").read_text())["test"]:
        image = nib.load(item["image"])
        found = nib.load(trained_segmentation / "eval" / f"{item['case_id']}_pred.nii.gz")
        assert found.shape == image.shape and np.array_equal(found.affine, image.affine)
        assert found.get_data_dtype() == np.uint8
        assert set(np.unique(found.dataobj)) <= {0, 3, 5, 6, 7, 8, 9, 11, 14}
    page = (trained_segmentation / "eval" / "page.html").read_text()
    assert '{"name": "prediction", "shape": [' in page and '"columns": ["class", "Dice"' in page


def test_tumours_are_reported_lesion_by_lesion(cohort, tmp_path):
    table = {"background": [v for v in range(25) if v not in (3, 4, 16)], "lungs": [3, 4], "tumour": 16}
    (tmp_path / "labels.json").write_text(json.dumps(table))
    few = small_cohort(cohort, tmp_path / "few", training=8, validation=0)
    options = {"labels_file": str(tmp_path / "labels.json"), "max_epochs": 1, "batch_size": 4}
    run((*NAMES, "tumour"), few, tmp_path, **options)
    record = json.loads((tmp_path / "models" / "model.json").read_text())
    assert record["model"] == "last" and record["labels"] == table
    run((*NAMES, "tumour", "evaluate"), few, tmp_path, **options)
    found = json.loads((tmp_path / "eval" / "metrics.json").read_text())
    assert set(found["lesions"]) == set(found["froc"]) == {"tumour"}
    for case in found["per_case"]:
        matched, scored = (case[key]["tumour"] for key in ("lesions", "scored_lesions"))
        assert [one["mm3"] for one in matched["lesions"]] == [one["mm3"] for one in scored["lesions"]]
        assert all(0.1 <= score <= 1 for score in scored["false_positives"])


def test_a_run_knows_its_bundle_from_any_folder(few, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = {key: value for key, value in places(few, tmp_path).items() if key != "bundle_root"}
    workflow = ConfigWorkflow(config_file=config_files(*NAMES), workflow_type="train", logging_file=False, **options)
    workflow.initialize()
    assert workflow.bundle_root == str(BUNDLE)
