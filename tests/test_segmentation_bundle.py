import json
import logging
import shutil
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest
import torch
from bundle_runs import environment
from monai.bundle import ConfigWorkflow, load, verify_metadata
from monai.networks.nets import SwinUNETR
from segmentation_runs import BUNDLE, NAMES, command, config_files, infer, places, run, small_cohort

import t3d
from t3d.console import plain_message
from t3d.data.label_table import read_label_table
from t3d.weights import save_encoder

# What a user of load(), MONAI Label or a federated client has: MONAI, and no t3d.
WITHOUT_T3D = """
import sys
class NoT3D:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "t3d":
            raise ModuleNotFoundError("No module named 't3d'", name="t3d")
sys.meta_path.insert(0, NoT3D())
"""


def read(name):
    return json.loads((BUNDLE / "configs" / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def few(cohort, tmp_path_factory):
    return small_cohort(cohort, tmp_path_factory.mktemp("few"))


@pytest.fixture(scope="module")
def trained(few, tmp_path_factory):
    """One tiny training and its evaluation."""
    folder = tmp_path_factory.mktemp("trained")
    run(NAMES, few, folder)
    run((*NAMES, "evaluate"), few, folder)
    return folder


@pytest.fixture(scope="module")
def bundle(trained, tmp_path_factory):
    """The bundle as a folder of its own, with trained weights."""
    folder = shutil.copytree(BUNDLE, tmp_path_factory.mktemp("zoo") / "t3d_segmentation")
    shutil.copytree(trained / "models", folder / "models", dirs_exist_ok=True)
    return folder


def python(code, folder):
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_T3D + code], cwd=folder, env=environment(), capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result


def fault(names, cohort, folder, **options):
    with pytest.raises(Exception) as caught:  # noqa: B017 - MONAI wraps it; its words are what is tested
        run(names, cohort, folder, **options)
    message = plain_message(caught.value)
    assert message, caught.value
    return message


@pytest.mark.parametrize(("name", "kind"), [("train", "train"), ("inference", "inference")])
def test_monai_finds_all_properties_without_t3d_and_without_data(name, kind, tmp_path):
    python(
        f"""
from monai.bundle import ConfigWorkflow
workflow = ConfigWorkflow(config_file={config_files(name)[0]!r}, workflow_type={kind!r}, logging_file=False,
                          dataset_dir="nowhere", output_dir="out", bundle_root={str(BUNDLE)!r})
workflow.initialize()
assert workflow.check_properties() == [], workflow.check_properties()
assert not any(name == "t3d" or name.startswith("t3d.") for name in sys.modules)
""",
        tmp_path,
    )


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

    def steps(config, only_image):
        listed = []
        for step in config["preprocessing"]["transforms"]:
            # prepared lists are for training and evaluation; inference reads files
            step = {key: value for key, value in step.items() if key not in ("allow_missing_keys", "reader")}
            if only_image and isinstance(step["keys"], list):
                modes = {"mode": step["mode"][0]} if "mode" in step else {}
                step = {**step, "keys": step["keys"][0], **modes}
            if step["keys"] != "label":
                listed.append(step)
        return listed

    assert steps(train, True) == steps(inference, False)
    written = [step for step in inference["postprocessing"]["transforms"] if "save_prob" not in str(step)]
    assert written == evaluate["validate#postprocessing"]["transforms"]
    assert train["validate"]["inferer"] == inference["inferer"]
    for key in ("network_def", "labels", "class_names", "class_values", "label_dtype", "recorded", "bundle_root",
                "crop_size", "feature_size", "window_size", "sw_batch_size", "overlap", "blend_on_cpu", "spacing",
                "orientation", "hu_range"):  # fmt: skip
        assert train[key] == inference[key], key


def test_training_leaves_what_the_other_stages_need(trained):
    models = trained / "models"
    record = json.loads((models / "model.json").read_text())
    assert record["network"] == {"feature_size": 12, "window_size": 2}
    assert record["preprocessing"] == {
        "spacing": [12.0, 12.0, 12.0], "orientation": "RAS", "hu_range": [-1000, 1000], "crop_size": 64
    }  # fmt: skip
    assert record["labels"] == read("labels_demo") and record["model"] == "best"
    state = torch.load(models / "model.pt", weights_only=True)
    SwinUNETR(in_channels=1, out_channels=9, feature_size=12, window_size=2).load_state_dict(state)
    for name in ("model_best.pt", "model_last.pt", "checkpoint_epoch=2.pt"):
        assert (models / name).is_file(), name
    assert (trained / "eval" / "segmentation.png").stat().st_size > 1000
    assert list((trained / "eval" / "tensorboard").glob("events*"))


def test_evaluation_scores_every_test_case_on_its_own_grid(trained, few):
    metrics = json.loads((trained / "eval" / "metrics.json").read_text())
    assert metrics["cases"] == 2 and metrics["failed"] == []
    assert list(metrics["classes"]) == [name for name in read("labels_demo") if name != "background"]
    for item in json.loads((few / "datalist.json").read_text())["test"]:
        image = nib.load(item["image"])
        found = nib.load(trained / "eval" / f"{item['case_id']}_pred.nii.gz")
        assert found.shape == image.shape and np.array_equal(found.affine, image.affine)
        assert found.get_data_dtype() == np.uint8
        assert set(np.unique(found.dataobj)) <= {0, 3, 5, 6, 7, 8, 9, 11, 14}


def test_evaluation_does_not_overwrite_unasked_and_refuses_other_preparation(trained, few, tmp_path):
    assert "--overwrite True" in fault((*NAMES, "evaluate"), few, trained)
    options = {"output_dir": str(tmp_path / "new"), "hu_range": [-200, 300]}
    assert "hu_range [-1000, 1000] there, [-200, 300] here" in fault((*NAMES, "evaluate"), few, trained, **options)
    assert not (tmp_path / "new").exists()


def scan(file, few, affine, **change):
    """A case's voxels under another affine, so that orientation and size differ from the prepared ones."""
    item = json.loads((few / "datalist.json").read_text())["test"][0]
    voxels = np.asanyarray(nib.load(item["image"]).dataobj)[:, :29, :21].astype(change.pop("dtype", np.int16))
    for place, value in change.items():
        voxels[tuple(map(int, place.split("_")[1:]))] = value
    nib.save(nib.Nifti1Image(voxels, affine), file)


def oblique():
    turn, tilt = 0.3, 0.2
    about_z = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    affine = np.eye(4)
    affine[:3, :3] = about_z @ about_x @ np.diag([10.3, -11.7, 7.1])
    affine[:3, 3] = (-100.3, 57.1, 33.3)
    return affine


def swapped():
    affine = np.zeros((4, 4))
    affine[0, 2], affine[1, 0], affine[2, 1], affine[3, 3] = -9.1, 12.0, -5.7, 1
    return affine


def test_results_lie_on_the_input_grid_and_a_bad_case_does_not_stop_the_others(trained, few, tmp_path):
    folder, out = tmp_path / "scans", tmp_path / "out"
    folder.mkdir()
    scan(folder / "oblique.1.nii.gz", few, oblique())
    scan(folder / "swapped.nii", few, swapped())
    scan(folder / "bad.nii.gz", few, swapped(), dtype=np.float32, at_1_2_3=np.nan)
    nib.save(nib.Nifti1Image(np.zeros((9, 9, 9, 2), np.int16), np.eye(4)), folder / "times.nii.gz")
    with pytest.raises(Exception) as caught:  # noqa: B017 - see fault
        infer(folder, trained, output_dir=str(out), save_probabilities=True)
    assert plain_message(caught.value).startswith("2 of 4 cases failed")
    cases = json.loads((out / "cases.json").read_text())
    assert cases["done"] == ["oblique.1", "swapped"]
    assert {case["case_id"]: case["error"].partition(" where")[0].partition(";")[0] for case in cases["failed"]} == {
        "bad": "case bad: image has voxels that are NaN or infinite",
        "times": "image headers: case times: image times.nii.gz has 4 axes (9 x 9 x 9 x 2)",
    }
    assert sorted(path.name for path in out.glob("*.nii.gz")) == [
        "oblique.1_pred.nii.gz", "oblique.1_prob.nii.gz", "swapped_pred.nii.gz", "swapped_prob.nii.gz"
    ]  # fmt: skip
    for name in ("oblique.1.nii.gz", "swapped.nii"):
        image = nib.load(folder / name)
        stem = name.removesuffix(".gz").removesuffix(".nii")
        found, chances = nib.load(out / f"{stem}_pred.nii.gz"), nib.load(out / f"{stem}_prob.nii.gz")
        assert found.shape == image.shape and np.array_equal(found.affine, image.affine)
        assert chances.shape == (*image.shape, 9) and np.array_equal(chances.affine, image.affine)
        assert np.allclose(np.asarray(chances.dataobj).sum(axis=-1), 1, atol=1e-4)

    (folder / "bad.nii.gz").unlink()
    (folder / "times.nii.gz").unlink()
    with pytest.raises(Exception) as caught:  # noqa: B017 - see fault
        infer(folder, trained, output_dir=str(out))
    assert "already holds results of 2 of 2 cases" in plain_message(caught.value)
    whole = (out / "swapped_pred.nii.gz").read_bytes()
    before = (out / "oblique.1_pred.nii.gz").stat().st_mtime_ns
    (out / "swapped_pred.nii.gz").write_bytes(whole[:-20])  # what a killed run leaves
    infer(folder, trained, output_dir=str(out), skip_done=True, blend_on_cpu=True)
    assert json.loads((out / "cases.json").read_text())["skipped"] == ["oblique.1"]
    assert (out / "oblique.1_pred.nii.gz").stat().st_mtime_ns == before
    again = nib.load(out / "swapped_pred.nii.gz")
    assert np.asarray(again.dataobj).shape == nib.load(folder / "swapped.nii").shape


@pytest.mark.parametrize(("value", "kind"), [(7, np.uint8), (300, np.uint16)])
def test_a_prediction_returns_to_where_it_was_seen(tmp_path, value, kind):
    """The way back, without a network: the class map of the prepared image, inverted, is the image's own."""
    (tmp_path / "labels.json").write_text(json.dumps({"background": 0, "blob": [value, 5], "other": 1}))
    workflow = ConfigWorkflow(
        config_file=config_files("inference"), workflow_type="inference", logging_file=False, bundle_root=str(BUNDLE),
        spacing=[3.0, 3.0, 3.0], output_dir=str(tmp_path), labels_file=str(tmp_path / "labels.json"),
    )  # fmt: skip
    workflow.initialize()
    blob = np.full((40, 36, 30), -1000, np.int16)
    blob[8:20, 20:30, 5:18] = 500
    affine = np.diag([-3.0, 3.0, 4.0, 1.0])
    nib.save(nib.Nifti1Image(blob, affine), tmp_path / "blob.nii.gz")
    # MONAI Label's items have no case_id, and a string under image_path
    item = workflow.preprocessing({"image": str(tmp_path / "blob.nii.gz"), "image_path": str(tmp_path)})
    high = (item["image"] > 0.5).float()
    item["pred"] = torch.cat([1 - high, high, torch.zeros_like(high)])
    workflow.postprocessing(item)
    found = nib.load(tmp_path / "blob_pred.nii.gz")
    assert np.array_equal(found.affine, affine) and found.get_data_dtype() == kind
    voxels = np.asarray(found.dataobj)
    assert set(np.unique(voxels)) == {0, value}
    assert ((voxels == value) == (blob > 0)).mean() > 0.99


def test_a_dicom_series_is_segmented_on_its_own_grid(trained, few, tmp_path):
    pydicom = pytest.importorskip("pydicom")
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    item = json.loads((few / "datalist.json").read_text())["test"][0]
    voxels = np.asanyarray(nib.load(item["image"]).dataobj).astype(np.int16)[:, :28, :20]
    folder = tmp_path / "scans" / "series_a"
    folder.mkdir(parents=True)
    series, frame = generate_uid(), generate_uid()
    for number in range(voxels.shape[2]):
        meta = pydicom.dataset.FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        slice_ = pydicom.dataset.FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        slice_.SOPClassUID, slice_.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        slice_.Modality, slice_.SeriesInstanceUID, slice_.FrameOfReferenceUID = "CT", series, frame
        slice_.Rows, slice_.Columns = voxels.shape[1], voxels.shape[0]
        slice_.PixelSpacing, slice_.SliceThickness = [11.0, 12.0], 9.0
        slice_.ImageOrientationPatient, slice_.InstanceNumber = [1, 0, 0, 0, 1, 0], number + 1
        slice_.ImagePositionPatient = [-150.0, -120.0, 40.0 + 9.0 * number]
        slice_.BitsAllocated = slice_.BitsStored = 16
        slice_.HighBit, slice_.PixelRepresentation, slice_.SamplesPerPixel = 15, 1, 1
        slice_.PhotometricInterpretation, slice_.RescaleSlope, slice_.RescaleIntercept = "MONOCHROME2", 1, -24
        slice_.PixelData = np.ascontiguousarray(voxels[:, :, number].T + 24).astype("<i2").tobytes()
        slice_.save_as(folder / f"slice_{number:03d}.dcm", enforce_file_format=True)
    infer(tmp_path / "scans", trained, output_dir=str(tmp_path / "out"))
    found = nib.load(tmp_path / "out" / "series_a_pred.nii.gz")
    assert found.shape == voxels.shape
    # LPS of DICOM to RAS of NIfTI: the first two axes change sign
    expected = np.diag([-12.0, -11.0, 9.0, 1.0])
    expected[:3, 3] = (150.0, 120.0, 40.0)
    assert np.allclose(found.affine, expected, atol=1e-5)


def encoder_in(folder, **preprocessing):
    network = SwinUNETR(in_channels=1, out_channels=2, feature_size=12, window_size=2)
    prepared = {"spacing": [12.0, 12.0, 12.0], "orientation": "RAS", "hu_range": [-1000, 1000], **preprocessing}
    save_encoder(network, folder, record={"preprocessing": prepared, "network": {"window_size": 2}})
    return network


def test_the_encoder_is_taken_over_whole_and_frozen_as_asked(few, tmp_path, caplog):
    encoder = encoder_in(tmp_path / "encoder").swinViT.state_dict()
    options = {"encoder_weights": str(tmp_path / "encoder" / "encoder.pt"), "max_epochs": 1, "layer_decay": 0.8}
    with caplog.at_level(logging.INFO):
        run((*NAMES, "few_shot"), few, tmp_path / "frozen", freeze_epochs=1, **options)
        # few_shot comes after demo, so its long schedule is overridden here as a user would
    assert "encoder tensors from" in caplog.text and "sha256" in caplog.text
    state = torch.load(tmp_path / "frozen" / "models" / "model.pt", weights_only=True)
    assert all(torch.equal(state[f"swinViT.{name}"], tensor) for name, tensor in encoder.items())
    record = json.loads((tmp_path / "frozen" / "models" / "label_fraction.json").read_text())
    assert len(record["patients"]) == 1 and record["of"] == {"patients": 2, "cases": 3}
    caplog.clear()
    with caplog.at_level(logging.INFO):
        run((*NAMES, "from_scratch", "few_shot"), few, tmp_path / "scratch", max_epochs=1)
    assert "training starts from scratch" in caplog.text


def test_an_encoder_that_does_not_fit_is_refused(few, tmp_path):
    encoder_in(tmp_path / "other", hu_range=[-200, 300])
    options = {"encoder_weights": str(tmp_path / "other" / "encoder.pt")}
    assert "hu_range [-200, 300] there, [-1000, 1000] here" in fault(NAMES, few, tmp_path / "a", **options)
    assert "feature_size" in fault(NAMES, few, tmp_path / "b", feature_size=24, ignore_preprocessing=True, **options)
    assert "window_size" in fault(NAMES, few, tmp_path / "c", window_size=4, ignore_preprocessing=True, **options)
    assert not any((tmp_path / name / "models").exists() for name in "abc")


def test_tumours_are_reported_lesion_by_lesion(cohort, tmp_path):
    table = {"background": [v for v in range(25) if v not in (3, 4, 16)], "lungs": [3, 4], "tumour": 16}
    (tmp_path / "labels.json").write_text(json.dumps(table))
    few = small_cohort(cohort, tmp_path / "few", training=8, validation=0)
    options = {"labels_file": str(tmp_path / "labels.json"), "max_epochs": 1, "batch_size": 4}
    run((*NAMES, "tumour"), few, tmp_path, **options)
    record = json.loads((tmp_path / "models" / "model.json").read_text())
    assert record["model"] == "last" and record["labels"] == table
    run((*NAMES, "tumour", "evaluate"), few, tmp_path, **options)
    assert set(json.loads((tmp_path / "eval" / "metrics.json").read_text())["lesions"]) == {"tumour"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dataset_dir": "nowhere"}, "datalist.json does not exist"),
        ({"crop_size": 32}, "at least 64"),
        ({"labels_file": "nowhere.json"}, "set labels_file to a label table"),
        ({"label_fraction": 0}, "outside (0, 1]"),
    ],
)
def test_faults_of_settings_are_plain_and_leave_nothing(few, tmp_path, change, words):
    assert words in fault(NAMES, few, tmp_path, **change)
    assert not (tmp_path / "models").exists()


def test_a_label_outside_the_table_is_one_plain_line(few, tmp_path):
    table = {"background": 0, "lungs": [3, 4]}
    (tmp_path / "labels.json").write_text(json.dumps(table))
    result = subprocess.run(
        command(NAMES, few, tmp_path, labels_file=str(tmp_path / "labels.json")), cwd=tmp_path, env=environment(),
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    case = json.loads((few / "datalist.json").read_text())["training"][0]["case_id"]
    assert result.returncode == 1
    assert "Traceback" not in result.stderr and f"case {case}: label" in result.stderr
    assert not (tmp_path / "models").exists() and not (tmp_path / "eval").exists()


def test_a_run_knows_its_bundle_from_any_folder(few, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = {key: value for key, value in places(few, tmp_path).items() if key != "bundle_root"}
    workflow = ConfigWorkflow(config_file=config_files(*NAMES), workflow_type="train", logging_file=False, **options)
    workflow.initialize()
    assert workflow.bundle_root == str(BUNDLE)
