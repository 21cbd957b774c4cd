import copy

import pytest
import torch
from monai.networks.nets import SegResNetDS, SwinUNETR

from t3d.bundle.start import start_network
from t3d.errors import T3DError
from t3d.networks.segres_encoder import ConvEncoder
from t3d.networks.window_attention import FusedWindowAttention
from t3d.weights import save_encoder, save_network

PREPARATION = {"spacing": [3.0] * 3, "orientation": "RAS", "hu_range": [-1000, 1000]}


def network(seed):
    torch.manual_seed(seed)
    return SwinUNETR(in_channels=1, out_channels=2, feature_size=12, window_size=2)


def same(one, other, part=""):
    one, other = one.state_dict(), other.state_dict()
    return all(torch.equal(one[name], other[name]) for name in one if name.startswith(part))


def test_an_encoder_or_none(tmp_path):
    found, before = network(0), network(0)
    start_network(found, ckpt_dir=tmp_path, encoder_weights=None, preparation=PREPARATION)
    assert same(found, before)
    other = network(1)
    save_encoder(other, tmp_path / "encoder", record={"preprocessing": PREPARATION})
    weights = str(tmp_path / "encoder" / "encoder.pt")
    start_network(found, ckpt_dir=tmp_path, encoder_weights=weights, preparation=PREPARATION)
    assert same(found, other, "swinViT") and same(found, before, "decoder1") and not same(found, other)
    changed = {**PREPARATION, "orientation": "LPS"}
    with pytest.raises(T3DError, match="orientation RAS there, LPS here"):
        start_network(found, ckpt_dir=tmp_path, encoder_weights=weights, preparation=changed)


def test_attention_is_fused_for_training_with_the_same_names_and_outputs():
    torch.manual_seed(3)
    plain = SwinUNETR(in_channels=1, out_channels=2, feature_size=12, window_size=6).eval()
    fused = copy.deepcopy(plain)
    start_network(fused, ckpt_dir="nowhere", encoder_weights=None, preparation=PREPARATION)
    assert type(fused) is SwinUNETR and list(fused.state_dict()) == list(plain.state_dict()) and same(fused, plain)
    assert sum(type(module) is FusedWindowAttention for module in fused.modules()) == 8
    image = torch.rand(1, 1, 64, 64, 64)
    with torch.no_grad():
        assert torch.allclose(fused(image), plain(image), atol=1e-4)


def test_the_blocks_of_a_segresnet_are_computed_again_where_asked():
    torch.manual_seed(3)
    plain = SegResNetDS(in_channels=1, out_channels=2, init_filters=4, blocks_down=(1, 2, 2, 4, 4), norm="instance")
    networks = [copy.deepcopy(plain) for _ in range(2)]
    gradients = []
    for network, use_checkpoint in zip(networks, (False, True), strict=True):
        options = {"encoder_weights": None, "preparation": PREPARATION, "use_checkpoint": use_checkpoint}
        start_network(network, ckpt_dir="nowhere", **options)
        assert isinstance(network.encoder, ConvEncoder) == use_checkpoint and same(network, plain)
        network(torch.ones(1, 1, 32, 32, 32)).square().mean().backward()
        gradients.append([parameter.grad for parameter in network.parameters()])
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(*gradients, strict=True))


@pytest.mark.parametrize("rank", [0, 1])
def test_annotators_go_on_with_the_served_model_and_its_copy_is_kept_once(rank, tmp_path):
    served, found = network(2), network(0)
    save_network(served, tmp_path / "model.pt")
    options = {"ckpt_dir": tmp_path, "encoder_weights": "not read", "preparation": PREPARATION}
    start_network(found, **options, annotating=True, rank=rank)
    assert same(found, served)
    kept = tmp_path / "released" / "model.pt"
    assert kept.exists() == (rank == 0)
    if rank == 0:
        assert kept.read_bytes() == (tmp_path / "model.pt").read_bytes()


def test_a_model_in_the_folder_of_another_training_is_not_gone_on_with(tmp_path):
    save_network(network(2), tmp_path / "model.pt")
    found, before = network(0), network(0)
    start_network(found, ckpt_dir=tmp_path, encoder_weights=None, preparation=PREPARATION)
    assert same(found, before) and not (tmp_path / "released").exists()
