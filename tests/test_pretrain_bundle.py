import inspect
import json
import math
import shutil

import numpy as np
import pytest
import torch
from bundle_runs import finish
from monai.bundle import ConfigParser, ConfigWorkflow, load, verify_metadata, verify_net_in_out
from monai.networks.nets import SwinUNETR
from pretrain_runs import BUNDLE, command, config_files, infer, places, run
from safetensors.torch import load_file

import t3d
from t3d.errors import plain_message
from t3d.networks.pretrain import PretrainNetwork
from t3d.networks.recorded import network_settings
from t3d.networks.swin_encoder import swin_transformer
from t3d.reports.sentence_kinds import CLAIMS
from t3d.weights import load_encoder

NAMES = ("train", "demo", "align")


def read(name):
    return json.loads((BUNDLE / "configs" / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def trained(cohort, tmp_path_factory):
    """One tiny training of the whole recipe, evaluated, with features of the test cases."""
    folder = tmp_path_factory.mktemp("trained")
    run(NAMES, cohort, folder)
    run((*NAMES, "evaluate"), cohort, folder, labels_file=str(cohort / "labels.json"), lesion_classes=["lung_nodule"])
    (folder / "sentence.txt").write_text("There is a right pleural effusion.\n")
    infer(cohort, folder, output_dir=str(folder / "features"), save_map=True,
          sentence_file=str(folder / "sentence.txt"))  # fmt: skip
    return folder


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (("train",), "train"),  # without the text encoder it will need, which is only loaded when a report is read
        (("train", "demo"), "train"),
        (("inference",), "inference"),
    ],
)
def test_monai_finds_all_properties(names, kind, cohort, tmp_path):
    workflow = ConfigWorkflow(
        config_file=config_files(*names), workflow_type=kind, logging_file=False, **places(cohort, tmp_path)
    )
    workflow.initialize()
    assert workflow.check_properties() == []


def test_metadata_fits_the_schema_and_the_package(shared_data, tmp_path):
    schema = shutil.copy(shared_data / "meta_schema_20240725.json", tmp_path / "schema.json")
    verify_metadata(meta_file=str(BUNDLE / "configs" / "metadata.json"), filepath=str(schema))
    metadata = read("metadata")
    assert metadata["version"] == t3d.__version__
    assert metadata["version"] in metadata["changelog"]


def test_network_takes_and_gives_what_the_metadata_says():
    verify_net_in_out(
        net_id="network_def",
        meta_file=str(BUNDLE / "configs" / "metadata.json"),
        config_file=config_files("train"),
        bundle_root=str(BUNDLE),
    )


def test_train_and_inference_prepare_images_alike():
    train, inference = read("train"), read("inference")
    assert train["preparation"] == inference["preparation"]
    names: dict = {"recorded": {}}
    for key in ("spacing", "orientation", "hu_range", "crop_size", "text_encoder", "text_revision", "max_tokens",
                "trained_text_layers", "report_cache"):  # fmt: skip
        assert eval(inference[key].removeprefix("$").replace("@", ""), names) == train[key], key


def test_without_a_record_inference_builds_the_network_of_the_full_size_recipe():
    parser = ConfigParser()
    parser.read_config(config_files("train"))
    trained = parser.get_parsed_content("network_settings")
    built = {name: one.default for name, one in inspect.signature(PretrainNetwork).parameters.items()}
    built |= network_settings({})
    differing = {
        name for name, value in trained.items() if list(np.atleast_1d(value)) != list(np.atleast_1d(built[name]))
    }
    assert (
        differing == {"window_size", "norm", "stem_stride"} and built["window_size"] is None
    )  # Swin's own; a training takes one that divides its crops
    assert inspect.signature(swin_transformer).parameters["window_size"].default == 7 and trained["window_size"] == 6


def test_training_leaves_what_the_other_stages_need(trained):
    models = trained / "models"
    for name in ("model.pt", "model_best.pt", "encoder.pt", "encoder.safetensors", "encoder.json"):
        assert (models / name).is_file(), name
    record = json.loads((models / "encoder.json").read_text())
    assert record["preprocessing"] == {
        "spacing": [12.0, 12.0, 12.0], "orientation": "RAS", "hu_range": [-1000, 1000], "crop_size": 32
    }  # fmt: skip
    stock = SwinUNETR(in_channels=1, out_channels=3, feature_size=12, window_size=record["network"]["window_size"])
    load_encoder(stock, models / "encoder.safetensors")
    assert torch.equal(
        stock.state_dict()["swinViT.patch_embed.proj.weight"],
        torch.load(models / "model.pt", weights_only=True)["swinViT.patch_embed.proj.weight"],
    )
    assert (trained / "eval" / "restoration.png").is_file()
    assert list((trained / "eval" / "tensorboard").glob("events*"))


def test_gauges_are_written_with_all_names(trained):
    gauges = json.loads((trained / "eval" / "gauges.json").read_text())
    for name in ("tic_accuracy", "tic_shortcut", "tic_chance", "text_gain_contrast", "text_gain_restoration",
                 "effective_rank", "batch_size", "cases"):  # fmt: skip
        assert isinstance(gauges[name], (int, float)), name
    assert gauges["tic_chance"] == 0.5 and gauges["batch_size"] == 2
    assert gauges["tic_loss"] - gauges["tic_loss_excess"] == pytest.approx(math.log(2))
    kinds = gauges["sentence_kinds"]
    assert sum(kinds[name]["sentences"] for name in CLAIMS if name in kinds) > 0
    assert len((trained / "eval" / "sentence_kinds.md").read_text().splitlines()) == 2 + len(kinds)
    regions = gauges["restoration_regions"]
    assert list(regions)[:2] == ["body", "organs"] and {"liver", "lung_left"} <= set(regions)
    # the body is that of restoration_error_body, from its own sums
    assert regions["body"]["error"] == pytest.approx(gauges["restoration_error_body"], rel=1e-5)
    assert all(region["cases"] > 0 and region["voxels"] > 0 for region in regions.values())
    assert len((trained / "eval" / "restoration_regions.md").read_text().splitlines()) == 2 + len(regions)
    assert gauges["verdict"]
    assert (trained / "eval" / "gauges.png").stat().st_size > 1000
    assert '"cases": [{"name": "1 of ' in (trained / "eval" / "page.html").read_text()


def test_features_of_every_test_case(trained, cohort):
    cases = json.loads((cohort / "datalist.json").read_text())["test"]
    for case in cases:
        found = load_file(trained / "features" / f"{case['case_id']}.safetensors")
        assert found["embedding"].shape == (16,)
        assert float(found["embedding"].norm()) == pytest.approx(1.0, abs=1e-5)
        # mean, maximum and minimum of the 96 channels at stride 16
        assert found["features"].shape == (288,) and found["map"].shape[0] == 96
        assert found["affine"].shape == found["map_affine"].shape == (4, 4)
        assert (trained / "features" / f"{case['case_id']}_text.nii.gz").is_file()
        assert (trained / "features" / f"{case['case_id']}_text.png").is_file()


def test_a_plain_folder_of_nifti_files_is_enough(trained, cohort, tmp_path):
    case = json.loads((cohort / "datalist.json").read_text())["test"][0]
    shutil.copy(cohort / case["image"], tmp_path / "scan.nii.gz")
    infer(tmp_path, trained, output_dir=str(tmp_path / "out"))
    one = load_file(tmp_path / "out" / "scan.safetensors")
    assert set(one) == {"embedding", "features", "affine"}
    other = load_file(trained / "features" / f"{case['case_id']}.safetensors")
    assert torch.allclose(one["embedding"], other["embedding"], atol=1e-6)


def test_earlier_features_are_not_overwritten_unasked(trained, cohort):
    with pytest.raises(RuntimeError) as caught:
        infer(cohort, trained, output_dir=str(trained / "features"))
    assert "overwrite True" in plain_message(caught.value)


def test_bundle_load_returns_the_network_with_its_weights(trained, tmp_path):
    bundle = shutil.copytree(BUNDLE, tmp_path / "t3d_pretrain")
    shutil.copytree(trained / "models", bundle / "models", dirs_exist_ok=True)
    network = load(
        "t3d_pretrain", bundle_dir=tmp_path, workflow_type="inference", args_file={"bundle_root": str(bundle)}
    )
    expected = torch.load(trained / "models" / "model.pt", weights_only=True)
    assert all(torch.equal(value, expected[name]) for name, value in network.state_dict().items())


def test_no_report_text_in_anything_a_run_leaves(trained, cohort):
    lists = json.loads((cohort / "datalist.json").read_text())
    sentences = [
        sentence.strip().encode()
        for items in lists.values()
        for item in items
        for sentence in item["report"].replace("\n", ". ").split(". ")
        if len(sentence.split()) > 4
    ]
    assert len(sentences) > 100
    files = [path for path in trained.rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        content = path.read_bytes().lower()
        for sentence in sentences:
            assert sentence.lower() not in content, path


def test_a_fault_is_one_plain_line(cohort, tmp_path):
    lists = json.loads((cohort / "datalist.json").read_text())
    lists["training"][0]["report"] = " "
    broken = cohort / "broken.json"
    broken.write_text(json.dumps(lists))
    result = finish(command(NAMES, cohort, tmp_path, datalist_file=str(broken)), tmp_path)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert f"case {lists['training'][0]['case_id']}" in result.stderr
    assert not (tmp_path / "models").exists()


def test_cached_and_live_reports_give_the_same_loss(cohort, tmp_path):
    losses, names = {}, {}
    one = {"max_epochs": 1, "steps_per_epoch": 1, "standardise_text": False}  # tokens of a live encoder are read raw
    for kind, cached in (("cached", True), ("live", False)):
        workflow = run(("train", "demo"), cohort, tmp_path / kind, **one, report_cache=cached)
        output = workflow.parser.get_parsed_content("train#trainer").state.output[0]
        losses[kind] = [output["loss"].item(), *(part.item() for part in output["pred"]["losses"].values())]
        names[kind] = set(torch.load(tmp_path / kind / "models" / "model.pt", weights_only=True))
    assert losses["cached"] == pytest.approx(losses["live"], abs=1e-5)
    extra = names["live"] - names["cached"]  # the live network carries its text encoder
    assert extra and all(name.startswith("text_encoder.") for name in extra)
