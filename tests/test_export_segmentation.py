import json
import logging
import shutil

import nibabel
import numpy as np
import pytest
import torch
from bundle_runs import finish_here, said
from export_runs import export, infer
from monai.bundle import ConfigParser
from monai.inferers import SlidingWindowInferer
from monai.networks.nets import SwinUNETR
from segmentation_runs import BUNDLE, RUNS

from t3d.bundle.segmentation_steps import served_steps
from t3d.cli import main
from t3d.errors import T3DError
from t3d.export.onnx_network import OnnxSegmenter
from t3d.export.trained import read_trained
from t3d.files import sha256

pytest.importorskip("onnxscript")
SPACING = [12.0] * 3


@pytest.fixture(scope="module")
def exported(trained_segmentation, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    export(RUNS, trained_segmentation, folder)
    return folder


@pytest.fixture(scope="module")
def trained(trained_segmentation):
    return read_trained(BUNDLE, ckpt_dir=trained_segmentation / "models")


@pytest.fixture(scope="module")
def onnx_network(exported, trained):
    return OnnxSegmenter(onnx_file=str(exported / "model.onnx"), classes=trained.network.out.conv.conv.out_channels)


def refused(cohort, trained_segmentation, **options) -> str:
    with pytest.raises(Exception) as caught:  # noqa: B017 - MONAI wraps it; its words are what is tested
        infer(RUNS, cohort, trained_segmentation, **options)
    return said(caught)


def test_the_record_tells_all_that_is_needed_to_use_the_files(exported, trained_segmentation):
    record = json.loads((exported / "export.json").read_text())
    model = json.loads((trained_segmentation / "models" / "model.json").read_text())
    assert {path.name for path in exported.iterdir()} == {"export.json", "model.onnx"}
    assert record["files"] == {"model.onnx": sha256(exported / "model.onnx")}
    assert record["weights"] == {"model.pt": model["files"]["model.pt"]}
    for key in ("preprocessing", "labels"):
        assert record[key] == model[key]
    assert record["network"] == {"backbone": "swin", "feature_size": 12, "window_size": 2}
    assert record["network"].items() <= model["network"].items()
    assert record["signatures"]["model"] == {"inputs": {"image": ["batch", 1, 64, 64, 64]}, "outputs": ["pred"]}
    assert record["opset"] == 20 and set(record["versions"]) >= {"t3d", "monai", "torch", "onnx", "onnxruntime"}
    for checks in record["check"]["files"].values():
        assert all(found["max_difference"] <= 1e-4 * max(1, found["largest_value"]) for found in checks)


@torch.no_grad()
def test_it_takes_a_number_of_windows_it_was_not_exported_with(trained, onnx_network):
    windows = torch.rand(3, 1, 64, 64, 64, generator=torch.Generator().manual_seed(7))
    expected = trained.network(windows)
    assert (onnx_network(windows) - expected).abs().max() <= 1e-4 * max(1, expected.abs().max())


def test_an_export_is_not_replaced_unasked(exported, trained_segmentation):
    before = (exported / "model.onnx").read_bytes()
    with pytest.raises(T3DError, match="is already there; choose another --out_dir"):
        export(RUNS, trained_segmentation, exported)
    assert (exported / "model.onnx").read_bytes() == before


def test_inference_with_the_export_writes_what_the_network_writes(exported, few, trained_segmentation, tmp_path):
    wanted, found = tmp_path / "torch", tmp_path / "onnx"
    RUNS.infer(few, trained_segmentation, output_dir=str(wanted), save_probabilities=True)
    # only the export is at hand where it is used
    infer(
        RUNS, few, tmp_path / "nothing", output_dir=str(found), onnx_file=str(exported / "model.onnx"),
        save_probabilities=True,
    )  # fmt: skip
    files = sorted(path.name for path in wanted.glob("*.nii.gz"))
    assert len(files) == 4 and files == sorted(path.name for path in found.glob("*.nii.gz"))
    for name in files:
        one, other = (nibabel.load(folder / name) for folder in (wanted, found))
        assert np.array_equal(one.affine, other.affine)
        one, other = one.get_fdata(), other.get_fdata()
        if name.endswith("_prob.nii.gz"):
            assert np.abs(one - other).max() <= 1e-4
        else:
            assert one.max() > 0, "an empty map would agree with anything"
            assert (one == other).mean() >= 0.999


@torch.no_grad()
def test_a_real_ct_through_windows_agrees(shared_data, trained, onnx_network):
    prepare = served_steps(
        preparation={"spacing": [3.0] * 3, "orientation": "RAS", "hu_range": [-1000, 1000]},
        weights="not looked at without a server",
        network=trained.network,
    )
    image = next((shared_data / "totalseg_torso_3mm").rglob("*ct*.nii.gz"))
    volume = prepare({"image": str(image)})["image"].as_tensor().unsqueeze(0)
    slide = SlidingWindowInferer(roi_size=(64,) * 3, sw_batch_size=4, overlap=0.25, mode="gaussian")
    expected, found = slide(volume, trained.network), slide(volume, onnx_network)
    off, agree = (found - expected).abs().max(), (found.argmax(1) == expected.argmax(1)).float().mean()
    logging.getLogger(__name__).info("logits differ by %.2g of %.2g, %.5f agree", off, expected.abs().max(), agree)
    assert expected.argmax(1).unique().numel() > 1
    assert off <= 1e-4 * max(1, expected.abs().max()) and agree >= 0.999


def test_a_model_that_was_not_exported_is_refused(exported, few, trained_segmentation, tmp_path):
    other = shutil.copytree(trained_segmentation / "models", tmp_path / "models")
    record = json.loads((other / "model.json").read_text())
    record["preprocessing"]["spacing"] = [3.0, 3.0, 3.0]
    (other / "model.json").write_text(json.dumps(record))
    options = {"onnx_file": str(exported / "model.onnx"), "output_dir": str(tmp_path / "out")}
    message = refused(few, trained_segmentation, ckpt_dir=str(other), **options)
    assert str(exported / "model.onnx") in message and str(other / "model.json") in message
    assert "spacing [12.0, 12.0, 12.0] there, [3.0, 3.0, 3.0] here" in message
    record["preprocessing"]["spacing"], record["files"]["model.pt"] = SPACING, "0" * 64
    (other / "model.json").write_text(json.dumps(record))
    assert "other weights (model.pt)" in refused(few, trained_segmentation, ckpt_dir=str(other), **options)
    message = refused(few, trained_segmentation, crop_size=96, **options)
    assert "exported with crop_size 64, the configuration says 96" in message
    assert not (tmp_path / "out").exists()


def test_the_command_line_says_what_is_missing(tmp_path, capsys, trained_segmentation):
    with pytest.raises(T3DError, match="train the bundle first"):
        main(["export", "--bundle_root", str(BUNDLE), "--ckpt_dir", str(tmp_path), "--out_dir", str(tmp_path / "o")])
    with pytest.raises(T3DError, match="is no bundle"):
        main(["export", str(tmp_path), "--out_dir", str(tmp_path / "o")])
    assert not (tmp_path / "o").exists()


def test_the_overlay_works_from_the_command_line(exported, few, tmp_path):
    line = RUNS.command(
        ("inference", "inference_onnx"), few, tmp_path, onnx_file=exported / "model.onnx", output_dir=tmp_path / "out"
    )
    result = finish_here(line, tmp_path / "elsewhere")
    assert result.returncode == 0, result.stderr
    assert len(list((tmp_path / "out").glob("*_pred.nii.gz"))) == 2


def test_the_tensorrt_overlay_resolves_and_leaves_the_network_alone_without_tensorrt(trained_segmentation, few):
    parser = ConfigParser()
    parser.read_config([str(BUNDLE / "configs" / f"{name}.json") for name in ("inference", "inference_trt")])
    for key, value in RUNS.places(few, trained_segmentation).items():
        parser[key] = value
    parser.parse()
    assert isinstance(parser.get_parsed_content("network"), SwinUNETR)
    assert parser.get_parsed_content("network") is parser.get_parsed_content("network_def")
    arguments = parser.get_parsed_content("trt_args")
    assert arguments == {"precision": "fp16", "dynamic_batchsize": [1, 4, 4], "fallback": True}


def test_torchscript_is_still_no_way_out():
    """When this fails, MONAI's SwinUNETR can be scripted: docs/export.md and `monai.bundle.ckpt_export` come next."""
    with pytest.raises(torch.jit.frontend.NotSupportedError):
        torch.jit.script(SwinUNETR(in_channels=1, out_channels=2, feature_size=12, window_size=2))
