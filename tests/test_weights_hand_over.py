import json
import logging

import pytest
import safetensors.torch
import torch
from monai.networks.nets import SwinUNETR
from torch import nn

import t3d.files
from t3d.errors import T3DError
from t3d.networks.swin_encoder import swin_transformer
from t3d.weights import encoder_state, load_encoder, load_network, read_encoder, save_encoder, save_network

TENSORS = 126  # of a Swin UNETR encoder with two blocks in each of four stages
PREPROCESSING = {
    "spacing": [0.75, 0.75, 1.5],
    "orientation": "RAS",
    "hu_range": [-1000, 1000],
    "crop_size": 96,
}


class Encoder(nn.Module):
    """Any network with `swinViT`, and something beside it."""

    def __init__(self, **settings):
        super().__init__()
        self.swinViT = swin_transformer(**{"feature_size": 12, "window_size": 4, **settings})
        self.head = nn.Linear(2, 2)


def seeded(build, seed, **settings):
    torch.manual_seed(seed)
    return build(**settings)


def stock(seed=1):
    return seeded(SwinUNETR, seed, in_channels=1, out_channels=2, feature_size=12, window_size=4)


def same_encoder(one, other):
    a, b = one.swinViT.state_dict(), other.swinViT.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def ssl_checkpoint(network, prefix):
    """The layout of the published Swin UNETR pre-training, with its heads."""
    state = {}
    for name, tensor in network.swinViT.state_dict().items():
        name = name.replace("mlp.linear1", "mlp.fc1").replace("mlp.linear2", "mlp.fc2")
        state[prefix + name] = tensor
    heads = ("rotation_head.weight", "contrastive_head.weight", "conv.weight")
    return {"epoch": 5, "state_dict": {**state, **{f"module.{head}": torch.zeros(2, 2) for head in heads}}}


@pytest.fixture
def saved(tmp_path):
    network = seeded(Encoder, 0)
    record = {"network": {"feature_size": 12}, "preprocessing": PREPROCESSING, "seed": 0}
    return network, tmp_path, save_encoder(network, tmp_path, record=record)


def test_encoder_state_has_monais_names_and_is_a_copy():
    network = seeded(Encoder, 0)
    state = encoder_state(network)
    assert list(state) == [name for name in stock().state_dict() if name.startswith("swinViT.")]
    assert len(state) == TENSORS
    before = state["swinViT.patch_embed.proj.bias"].clone()
    nn.init.constant_(network.swinViT.patch_embed.proj.bias, 9.0)
    assert torch.equal(state["swinViT.patch_embed.proj.bias"], before)


def test_saved_files_agree_with_the_record(saved):
    network, folder, record = saved
    assert json.loads((folder / "encoder.json").read_text()) == record
    assert record["files"] == {name: t3d.files.sha256(folder / name) for name in ("encoder.pt", "encoder.safetensors")}
    assert (record["tensors"], record["preprocessing"], record["seed"]) == (TENSORS, PREPROCESSING, 0)
    assert record["network"]["window_size"] == 4 and record["network"]["depths"] == [2, 2, 2, 2]
    assert record["parameters"] == sum(p.numel() for p in network.swinViT.parameters())
    one = torch.load(folder / "encoder.pt", weights_only=True)
    other = safetensors.torch.load_file(folder / "encoder.safetensors")
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_same_weights_give_the_same_bytes(saved, tmp_path):
    network, folder, record = saved
    again = save_encoder(network, tmp_path / "again", record={})
    assert again["files"] == record["files"]


def test_monais_own_network_loads_what_is_saved(saved):
    network, folder, _ = saved
    target = stock()
    assert not same_encoder(target, network)
    result = target.load_state_dict(torch.load(folder / "encoder.pt", weights_only=True), strict=False)
    assert [name for name in result.missing_keys if name.startswith("swinViT.")] == []
    assert result.unexpected_keys == []
    assert same_encoder(target, network)


@pytest.mark.parametrize("name", ["encoder.pt", "encoder.safetensors"])
def test_round_trip_into_monai_and_back(saved, name):
    network, folder, _ = saved
    middle = load_encoder(stock(), folder / name, check_preprocessing=PREPROCESSING)
    assert same_encoder(middle, network)
    torch.save(middle.state_dict(), folder / "swin_unetr.pt")
    target = load_encoder(seeded(Encoder, 2), folder / "swin_unetr.pt")
    assert same_encoder(target, network)
    image = torch.rand(1, 1, 32, 32, 32)
    for one, other in zip(network.swinViT(image), target.swinViT(image), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("prefix", ["module.", "swin_vit.", "module.swinViT."])
def test_pretraining_checkpoints_load_and_their_heads_are_counted(tmp_path, prefix, caplog):
    source, target = stock(), seeded(Encoder, 2)
    torch.save(ssl_checkpoint(source, prefix), tmp_path / "ssl.pt")
    with caplog.at_level(logging.INFO):
        assert load_encoder(target, tmp_path / "ssl.pt") is target
    assert same_encoder(target, source)
    assert "3 entries beside the encoder left aside" in caplog.text
    digest = t3d.files.sha256(tmp_path / "ssl.pt")
    assert f"loaded all {TENSORS} encoder tensors from {tmp_path / 'ssl.pt'} (sha256 {digest})" in caplog.text


def test_what_monais_load_from_reads_is_what_we_read(tmp_path):
    source, theirs, ours = stock(1), stock(2), seeded(Encoder, 3)
    checkpoint = ssl_checkpoint(source, "module.")
    theirs.load_from(checkpoint)
    torch.save(checkpoint, tmp_path / "ssl.pt")
    load_encoder(ours, tmp_path / "ssl.pt")
    assert same_encoder(ours, theirs) and same_encoder(ours, source)


def assert_refused(target, path, *words, load=load_encoder, **options):
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    with pytest.raises(T3DError) as caught:
        load(target, path, **options)
    for word in words:
        assert word in str(caught.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in target.state_dict().items())


def test_other_sizes_are_named_and_nothing_is_loaded(saved):
    _, folder, _ = saved
    words = ["feature_size is 12 there and 24 here", "window_size is 4 there and 7 here", "of another shape"]
    words += ["Build the network with the file's feature_size 12, window_size 4", "nothing was loaded"]
    assert_refused(Encoder(feature_size=24, window_size=7), folder / "encoder.pt", *words)


def test_missing_and_unexpected_tensors_are_listed(saved):
    network, folder, _ = saved
    state = encoder_state(network)
    bias = state.pop("swinViT.layers4.0.blocks.1.mlp.linear2.bias")
    torch.save({**state, "swinViT.layers1c.0.conv.bias": bias}, folder / "odd.pt")
    words = [
        "1 missing (swinViT.layers4.0.blocks.1.mlp.linear2.bias)",
        "1 unexpected (swinViT.layers1c.0.conv.bias)",
    ]
    assert_refused(seeded(Encoder, 4), folder / "odd.pt", *words)


def test_preprocessing_must_agree(saved, caplog):
    network, folder, _ = saved
    wanted = {**PREPROCESSING, "spacing": [1, 1, 1], "hu_range": [-175, 250]}
    words = [
        "spacing [0.75, 0.75, 1.5] there, [1, 1, 1] here",
        "hu_range [-1000, 1000] there, [-175, 250] here",
    ]
    path = folder / "encoder.pt"
    assert_refused(seeded(Encoder, 4), path, *words, "ignore_preprocessing=True", check_preprocessing=wanted)
    target = load_encoder(seeded(Encoder, 4), path, check_preprocessing=wanted, ignore_preprocessing=True)
    assert same_encoder(target, network) and words[0] in caplog.text


def test_damaged_weights_are_found_by_their_checksum(saved):
    _, folder, _ = saved
    content = bytearray((folder / "encoder.safetensors").read_bytes())
    content[-1] ^= 1  # still a valid file
    (folder / "encoder.safetensors").write_bytes(content)
    safetensors.torch.load_file(folder / "encoder.safetensors")
    assert_refused(seeded(Encoder, 4), folder / "encoder.safetensors", "encoder.json beside it says")


def test_files_without_a_usable_encoder(saved):
    network, folder, _ = saved
    torch.save(nn.Linear(2, 2).state_dict(), folder / "linear.pt")
    with pytest.raises(T3DError, match="no encoder: none of its 2 entries.*the first is weight"):
        read_encoder(folder / "linear.pt")
    state = encoder_state(network)
    state["swinViT.patch_embed.proj.bias"][0] = float("nan")
    torch.save(state, folder / "diverged.pt")
    with pytest.raises(T3DError, match="1 encoder tensors hold NaN.*swinViT.patch_embed.proj.bias"):
        read_encoder(folder / "diverged.pt")
    with pytest.raises(T3DError, match="Linear has no encoder named swinViT"):
        load_encoder(nn.Linear(2, 2), folder / "encoder.pt")


def test_a_full_disk_keeps_the_old_encoder(saved, monkeypatch):
    network, folder, record = saved
    nn.init.zeros_(network.swinViT.patch_embed.proj.bias)

    def full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("t3d.atomic.os.fsync", full)
        with pytest.raises(T3DError, match="No space left on device"):
            save_encoder(network, folder, record={})
    assert sorted(p.name for p in folder.iterdir()) == ["encoder.json", "encoder.pt", "encoder.safetensors"]
    assert read_encoder(folder / "encoder.pt")[1] == record


def test_whole_networks_round_trip(tmp_path):
    source, target = seeded(Encoder, 0), seeded(Encoder, 1)
    save_network(nn.DataParallel(source), tmp_path / "model.pt")
    plain = torch.load(tmp_path / "model.pt", weights_only=True)
    assert plain.keys() == source.state_dict().keys()
    assert load_network(target, tmp_path / "model.pt") is target
    assert all(torch.equal(tensor, plain[name]) for name, tensor in target.state_dict().items())
    torch.save({"model": {f"module.{name}": tensor for name, tensor in plain.items()}}, tmp_path / "ddp.pt")
    nested = load_network(seeded(Encoder, 2), tmp_path / "ddp.pt")
    assert all(torch.equal(tensor, plain[name]) for name, tensor in nested.state_dict().items())


def test_whole_networks_of_another_architecture_are_refused(tmp_path):
    save_network(seeded(Encoder, 0), tmp_path / "model.pt")
    words = ["a checkpoint of another architecture than this network", "feature_size is 12 there and 24 here"]
    assert_refused(Encoder(feature_size=24), tmp_path / "model.pt", *words, load=load_network)
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "linear.pt")
    assert_refused(seeded(Encoder, 0), tmp_path / "linear.pt", "2 unexpected (weight, bias)", load=load_network)
