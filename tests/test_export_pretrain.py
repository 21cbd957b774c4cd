import json

import pytest
import torch
from bundle_runs import said
from export_runs import export, infer
from pretrain_runs import BUNDLE, RUNS
from safetensors.torch import load_file

from t3d.export.compare import compare
from t3d.export.onnx_model import onnx_bytes
from t3d.export.onnx_network import OnnxEncoder
from t3d.export.parts import parts_of
from t3d.export.program import export_program
from t3d.export.session import OnnxSession
from t3d.export.trained import read_trained
from t3d.networks.pretrain import PretrainNetwork
from t3d.weights import save_encoder, save_network

pytest.importorskip("onnxscript")
PREPROCESSING = {"spacing": [12.0] * 3, "orientation": "RAS", "hu_range": [-1000, 1000], "crop_size": 32}


# what a record says of a recipe after 0.1
RECIPE = {"fuse_stride": 16, "fusion_norm": "pre", "own_heads": True, "pooling": ["mean", "max"]}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What a pre-training of the vision-only twin leaves behind."""
    folder = tmp_path_factory.mktemp("pretrained")
    torch.manual_seed(0)
    network = PretrainNetwork(feature_size=12, window_size=2, embedding_width=16, use_text=False)
    save_network(network, folder / "models" / "model.pt")
    settings = {"feature_size": 12, "window_size": 2, "embedding_width": 16, "use_text": False} | RECIPE
    save_encoder(network, folder / "models", record={"preprocessing": PREPROCESSING, "network": settings})
    return folder


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    export(RUNS, trained, folder)
    return folder


@torch.no_grad()
def test_the_export_embeds_as_the_network_does(exported, trained):
    record = json.loads((exported / "export.json").read_text())
    described = {"backbone": "swin", "feature_size": 12, "window_size": 2, "embedding_width": 16, **RECIPE}
    assert record["network"].items() >= described.items()
    assert record["preprocessing"] == PREPROCESSING
    assert record["signatures"]["model"]["outputs"] == ["embedding", "map", "features"]
    assert record["signatures"]["head"]["outputs"] == ["embedding", "pooled"]
    network = read_trained(BUNDLE, ckpt_dir=trained / "models").network
    image = torch.rand(3, 1, 32, 32, 32, generator=torch.Generator().manual_seed(5))
    found = OnnxEncoder(onnx_file=str(exported / "model.onnx"))
    assert torch.allclose(found(image), network(image), atol=1e-5)
    wanted = network.window_features(image)
    for one, other in zip(found.window_features(image), wanted, strict=True):
        assert torch.allclose(one, other, atol=1e-4)
    assert torch.allclose(found.embed_pooled(wanted[1]), network(image.unsqueeze(0)), atol=1e-5)
    assert torch.allclose(found.pool_windows(wanted[1]), network.pool_windows(wanted[1]), atol=1e-5)


@torch.no_grad()
def test_volumes_of_a_network_for_sentences_are_embedded_by_all_windows_at_once(tmp_path):
    torch.manual_seed(0)
    network = PretrainNetwork(feature_size=12, window_size=2, text_width=8, embedding_width=16, use_sentences=True)
    model, head = parts_of(network, crop_size=32)
    windows = torch.rand(3, 1, 32, 32, 32, generator=torch.Generator().manual_seed(5))
    _, _, features = model.module(windows)
    mask = torch.tensor([[True, False, True]])
    found, _ = head.module(features.unsqueeze(0), mask)
    assert torch.allclose(found, network(windows[[0, 2]].unsqueeze(0)), atol=1e-5)
    content = onnx_bytes(export_program(head), head)
    assert not [off for off in compare(head, OnnxSession(content)) if off.relative > 1e-4]


def test_features_with_the_export_are_those_of_the_network(exported, trained, cohort, tmp_path):
    wanted, found = tmp_path / "torch", tmp_path / "onnx"
    RUNS.infer(cohort, trained, output_dir=str(wanted), save_map=True)
    infer(RUNS, cohort, trained, output_dir=str(found), save_map=True, onnx_file=str(exported / "model.onnx"))
    files = sorted(path.name for path in wanted.glob("*.safetensors"))
    assert files and files == sorted(path.name for path in found.glob("*.safetensors"))
    for name in files:
        one, other = load_file(wanted / name), load_file(found / name)
        assert one.keys() == other.keys() >= {"embedding", "features", "map"}
        for key, value in one.items():
            assert torch.allclose(value, other[key], atol=1e-4), key


def test_a_sentence_needs_the_network(exported, trained, cohort, tmp_path):
    (tmp_path / "sentence.txt").write_text("A nodule.")
    options = {"onnx_file": str(exported / "model.onnx"), "sentence_file": str(tmp_path / "sentence.txt")}
    with pytest.raises(Exception) as caught:  # noqa: B017 - MONAI wraps it; its words are what is tested
        infer(RUNS, cohort, trained, output_dir=str(tmp_path / "out"), **options)
    assert "reads no text" in said(caught)
