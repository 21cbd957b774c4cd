import pytest
import torch
from monai.networks.nets import SwinUNETR

from t3d.bundle.start import start_network
from t3d.errors import T3DError
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
