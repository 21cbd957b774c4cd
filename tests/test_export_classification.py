import json

import nibabel
import numpy as np
import pytest
import torch
from bundle_runs import said
from classification_runs import BUNDLE, RUNS, TINY
from export_runs import export, infer

from t3d.errors import T3DError
from t3d.export.trained import read_trained
from t3d.infer.attention_maps import SaveAttention
from t3d.networks.volume_classifier import VolumeClassifier

pytest.importorskip("onnxscript")


@pytest.fixture(scope="module")
def exported(trained_classification, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    export(RUNS, trained_classification, folder)
    return folder


def test_the_record_has_findings_thresholds_and_both_parts(exported, trained_classification):
    record = json.loads((exported / "export.json").read_text())
    thresholds = json.loads((trained_classification / "models" / "thresholds.json").read_text())
    assert record["findings"] == TINY["findings"] and record["thresholds"] == thresholds["findings"]
    assert set(record["files"]) == {"model.onnx", "head.onnx"}
    assert record["signatures"]["model"]["inputs"] == {"image": ["batch", 1, 32, 32, 32]}
    assert record["signatures"]["head"] == {
        "inputs": {"features": [1, "windows", 192], "mask": [1, "windows"]},
        "outputs": ["pred", "attention"],
    }
    assert set(record["check"]["files"]) == set(record["files"])


def test_predictions_and_attention_are_those_of_the_network(exported, cohort, trained_classification, tmp_path):
    options = {"onnx_file": str(exported / "model.onnx"), "save_attention": True, "output_dir": str(tmp_path / "out")}
    workflow = infer(RUNS, cohort, tmp_path / "nothing", **options)
    assert workflow.parser.get_parsed_content("network_def").sw_batch_size == 4
    wanted = json.loads((trained_classification / "out" / "predictions.json").read_text())
    found = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert found["findings"] == wanted["findings"] and found["thresholds"] == wanted["thresholds"]
    for one, other in zip(found["cases"], wanted["cases"], strict=True):
        assert one["case_id"] == other["case_id"] and one["positive"] == other["positive"]
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-4)
        maps = [
            nibabel.load(folder / f"{one['case_id']}_attention.nii.gz").get_fdata()
            for folder in (tmp_path / "out", trained_classification / "out")
        ]
        assert maps[0].max() > 0 and np.abs(maps[0] - maps[1]).max() <= 1e-4


@torch.no_grad()
def test_volumes_of_many_windows_are_scored_alike(exported, trained_classification):
    from t3d.export.onnx_network import OnnxClassifier

    network = read_trained(BUNDLE, ckpt_dir=trained_classification / "models").network
    # attention starts at zero, where all windows count alike: a head without attention would pass, too
    assert network.pooling.weigh.weight.abs().max() > 0
    settings = {"crop_size": 32, "overlap": 0.25, "sw_batch_size": 5, "body_level": 0.2, "body_share": 0.05}
    stand_in = OnnxClassifier(onnx_file=str(exported / "model.onnx"), **settings)
    volume = torch.rand(2, 1, 70, 40, 33, generator=torch.Generator().manual_seed(3))
    volume[:, :, 40:] *= 0.1  # air, whose windows do not count
    assert (stand_in(volume) - network(volume)).abs().max() <= 1e-4


@torch.no_grad()
def test_pooled_tokens_are_scored_alike_and_have_no_attention_to_save(tmp_path):
    from t3d.export.onnx_model import onnx_bytes
    from t3d.export.onnx_network import OnnxClassifier
    from t3d.export.parts import parts_of
    from t3d.export.program import export_program

    torch.manual_seed(0)
    windows = {"crop_size": 32, "overlap": 0.25, "sw_batch_size": 5, "body_level": 0.2, "body_share": 0.05}
    network = VolumeClassifier(num_findings=2, feature_size=12, window_size=2, pooling="tokens", **windows)
    torch.nn.init.normal_(network.tokens.linear.weight)
    parts = parts_of(network, crop_size=32)
    assert [part.outputs for part in parts] == [("features",), ("pred",)]
    for part in parts:
        (tmp_path / f"{part.name}.onnx").write_bytes(onnx_bytes(export_program(part), part))
    stand_in = OnnxClassifier(onnx_file=str(tmp_path / "model.onnx"), **windows)
    volume = torch.rand(1, 1, 70, 40, 33)
    volume[:, :, 40:] *= 0.1  # air, whose windows do not count
    assert (stand_in(volume) - network(volume)).abs().max() <= 1e-4
    for one in (network, stand_in):
        with pytest.raises(T3DError, match="has no attention to save"):
            SaveAttention(output_dir=str(tmp_path), network=one, findings=["a", "b"]).attach(None)


def test_another_bundles_export_and_other_findings_are_refused(exported, cohort, trained_classification, tmp_path):
    for wrong, words in (
        ({"onnx_file": str(exported / "head.onnx")}, "not features: it was exported from another bundle"),
        ({"onnx_file": str(exported / "model.onnx"), "findings": ["nodule"]}, "are not those of the model in use"),
        ({"onnx_file": str(tmp_path / "model.onnx")}, "make it with t3d export"),
    ):
        with pytest.raises(Exception) as caught:  # noqa: B017 - MONAI wraps it; its words are what is tested
            infer(RUNS, cohort, trained_classification, output_dir=str(tmp_path / "out"), **wrong)
        assert words in said(caught)
