"""Encoders in the layouts of published weights load whole or not at all: names and shapes, with random values."""

import pytest
import torch
from monai.networks.nets import SegResNetDS, SwinUNETR
from monai.networks.nets.segresnet_ds import SegResEncoder
from safetensors.torch import save_file

from t3d.errors import T3DError
from t3d.networks.pretrain import PretrainNetwork
from t3d.train.fine_tuning import start_encoder
from t3d.weights import encoder_state

WIDTH = {"swin": 12, "segres": 4}
PREPARED = {"spacing": [3.0] * 3, "orientation": "RAS", "hu_range": [-1000, 1000]}


def swin(**options):
    torch.manual_seed(1)
    return SwinUNETR(in_channels=1, out_channels=3, feature_size=WIDTH["swin"], window_size=7, **options)


def segres(kind, **options):
    torch.manual_seed(1)
    settings = {"in_channels": 1, "init_filters": WIDTH["segres"], "blocks_down": (1, 2, 2, 4, 4), "norm": "batch"}
    network = kind(**settings, **options)
    for name, tensor in network.state_dict().items():  # as after a training, so that none is what a new network has
        if name.endswith(("running_mean", "running_var")):
            tensor.uniform_(0.5, 1.5)
    return network


def prefixed(state, prefix):
    return {prefix + name: tensor for name, tensor in state.items()}


def swin_ssl():
    """NVIDIA's pre-training: the transformer without a prefix of its own, the perceptron's old names, heads."""
    state = {name.replace(".mlp.linear", ".mlp.fc"): value for name, value in swin().swinViT.state_dict().items()}
    return {"state_dict": prefixed({**state, "rotation_head.weight": torch.ones(4, 8)}, "module."), "epoch": 3}


# what published files look like: our family, their content, the encoder in them
PUBLISHED = {
    "ct_fm_feature_extractor": (
        "segres",
        lambda: segres(SegResEncoder).state_dict(),
        lambda: prefixed(segres(SegResEncoder).state_dict(), "encoder."),
    ),
    "ct_fm_segresnet": (
        "segres",
        lambda: segres(SegResNetDS, out_channels=2).state_dict(),
        lambda: encoder_state(segres(SegResNetDS, out_channels=2)),
    ),
    "swin_unetr_ssl": ("swin", swin_ssl, lambda: encoder_state(swin())),
    "suprem": (
        "swin",
        lambda: {"net": prefixed(swin().state_dict(), "module.backbone."), "epoch": 2100},
        lambda: encoder_state(swin()),
    ),
}


def network(backbone, **options):
    torch.manual_seed(2)
    settings = {"feature_size": WIDTH[backbone], "text_width": 8, "embedding_width": 16, **options}
    return PretrainNetwork(backbone=backbone, **settings)


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_tensor_of_the_encoder_arrives(name, tmp_path):
    backbone, content, expected = PUBLISHED[name]
    target = network(backbone, norm="batch")
    outside = {key: tensor.clone() for key, tensor in target.decoder.state_dict().items()}
    path = tmp_path / ("model.safetensors" if name.startswith("ct_fm") else "model.pt")
    save_file(content(), path) if path.suffix == ".safetensors" else torch.save(content(), path)
    start_encoder(target, str(path), preprocessing=PREPARED)
    found, expected = encoder_state(target), expected()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert all(torch.equal(outside[key], tensor) for key, tensor in target.decoder.state_dict().items())


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_file_that_lacks_one_tensor_of_it_is_refused(name, tmp_path):
    backbone, content, _ = PUBLISHED[name]
    state = content()
    inner = next((state[key] for key in ("net", "state_dict") if key in state), state)
    del inner[next(key for key in inner if "blocks.1" in key and key.endswith("weight"))]
    torch.save(state, tmp_path / "model.pt")
    target = network(backbone, norm="batch")
    before = encoder_state(target)
    with pytest.raises(T3DError, match="1 missing .*nothing was loaded"):
        start_encoder(target, str(tmp_path / "model.pt"), preprocessing=PREPARED)
    assert all(torch.equal(before[key], tensor) for key, tensor in encoder_state(target).items())


def test_weights_with_batch_norm_do_not_pass_for_instance_norm(tmp_path):
    torch.save(PUBLISHED["ct_fm_feature_extractor"][1](), tmp_path / "model.pt")
    with pytest.raises(T3DError, match="norm is batch there and instance here.*network with the file's norm batch"):
        start_encoder(network("segres"), str(tmp_path / "model.pt"), preprocessing=PREPARED)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_second_version_of_swin_unetr_is_told_apart(prefix, tmp_path):
    torch.save(prefixed(swin(use_v2=True).state_dict(), prefix), tmp_path / "VoCo_B_SSL_head.pt")
    with pytest.raises(T3DError, match="holds a Swin UNETR V2 encoder.*nothing was loaded"):
        start_encoder(network("swin"), str(tmp_path / "VoCo_B_SSL_head.pt"), preprocessing=PREPARED)
