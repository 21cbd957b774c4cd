import inspect

import pytest
import torch
from monai.networks.nets import SegResNetDS, SwinUNETR
from monai.networks.nets.segresnet_ds import SegResEncoder

from t3d.errors import T3DError
from t3d.networks.encoders import (
    BACKBONES,
    STRIDE,
    backbone_of,
    build_encoder,
    find_backbone,
    segmentation_network,
)
from t3d.networks.pretrain import PretrainNetwork
from t3d.networks.text_map import text_map
from t3d.networks.volume_classifier import VolumeClassifier
from t3d.networks.window_grid import check_crop_size
from t3d.weights import encoder_state, load_encoder, save_encoder
from t3d.weights.architecture import architecture

SMALL = {"swin": {"feature_size": 12, "window_size": 2}, "segres": {"feature_size": 4}}
BOTH = pytest.mark.parametrize("name", ["swin", "segres"])


def seeded(build, *args, seed=0, **settings):
    torch.manual_seed(seed)
    return build(*args, **settings)


def crops(count=2, size=64):
    return torch.rand(count, 1, size, size, size, generator=torch.Generator().manual_seed(1))


def stock(name):
    """MONAI's own network, by its own names of the settings."""
    if name == "swin":
        return seeded(SwinUNETR, in_channels=1, out_channels=2, feature_size=12, window_size=2)
    return seeded(
        SegResNetDS, in_channels=1, out_channels=2, init_filters=4, blocks_down=(1, 2, 2, 4, 4), norm="instance"
    )


def test_every_family_says_what_the_package_asks():
    assert STRIDE == 32 and all(STRIDE % backbone.stride == 0 for backbone in BACKBONES.values())
    for name, backbone in BACKBONES.items():
        assert backbone.name == name
        taken = set(inspect.signature(backbone.build).parameters)
        assert taken == {*backbone.options, "in_channels", "feature_size", "use_checkpoint"}
        assert set(inspect.signature(backbone.build_segmentation).parameters) == taken | {"out_channels"}


@BOTH
def test_maps_have_the_strides_and_widths_that_the_encoder_says(name):
    encoder = build_encoder(name, **SMALL[name]).eval()
    with torch.no_grad():
        maps = encoder(crops())
        assert [tuple(found.shape) for found in maps] == [
            (2, width, *(64 // stride,) * 3) for stride, width in zip(encoder.strides, encoder.widths, strict=True)
        ]
        assert encoder.strides[-1] == BACKBONES[name].stride
        one, other = encoder(crops(), strides=(16, 4))
        assert torch.equal(one, maps[encoder.strides.index(16)])
        assert torch.equal(other, maps[encoder.strides.index(4)])


@BOTH
def test_the_same_seed_gives_monais_weights_names_and_maps(name):
    network, theirs = seeded(segmentation_network, name, in_channels=1, out_channels=2, **SMALL[name]), stock(name)
    ours, expected = network.state_dict(), theirs.state_dict()
    assert type(network) is type(theirs) is BACKBONES[name].segmentation
    assert list(ours) == list(expected) and all(torch.equal(ours[key], expected[key]) for key in ours)
    encoder = seeded(build_encoder, name, **SMALL[name]).eval()
    part = backbone_of(theirs)[1].eval()
    assert list(encoder.state_dict()) == list(part.state_dict())
    encoder.load_state_dict(part.state_dict())
    with torch.no_grad():
        for found, wanted in zip(encoder(crops()), part(crops()), strict=True):
            assert torch.equal(found, wanted)


def test_encoders_start_as_monais_classes_do():
    ours = seeded(build_encoder, "swin", **SMALL["swin"]).state_dict()
    torch.manual_seed(0)
    theirs = SwinUNETR(in_channels=1, out_channels=2, feature_size=12, window_size=2).swinViT.state_dict()
    assert list(ours) == list(theirs) and all(torch.equal(ours[key], theirs[key]) for key in ours)
    ours = seeded(build_encoder, "segres", feature_size=4).state_dict()
    theirs = seeded(SegResEncoder, init_filters=4, blocks_down=(1, 2, 2, 4, 4), norm="instance").state_dict()
    assert list(ours) == list(theirs) and all(torch.equal(ours[key], theirs[key]) for key in ours)


@BOTH
def test_networks_are_built_around_either(name):
    text = {"report": torch.randn(2, 3, 8), "report_mask": torch.ones(2, 3, dtype=torch.bool)}
    views = crops(4, size=32).unflatten(0, (2, 2))
    network = PretrainNetwork(backbone=name, text_width=8, embedding_width=16, **SMALL[name])
    output = network(views, corrupted=views, **text)
    assert output["restored"].shape == views.shape and output["anchor"].shape == (2, 2, 16)
    assert text_map(network, crops(), **text).shape == (2, 1, 4, 4, 4)
    sum(output[key].square().sum() for key in ("anchor", "restored")).backward()
    assert all(
        parameter.grad is not None for parameter in (*network.vision.parameters(), *network.lateral.parameters())
    )
    classifier = VolumeClassifier(num_findings=3, backbone=name, crop_size=64, **SMALL[name])
    assert classifier(torch.rand(1, 1, 64, 60, 70)).shape == (1, 3)


@BOTH
@torch.no_grad()
def test_the_fused_map_is_the_finest_plus_what_deeper_ones_say_of_the_same_places(name):
    network = seeded(PretrainNetwork, backbone=name, text_width=8, fuse_stride=8, **SMALL[name]).eval()
    finest, *deeper = network.vision(crops(), strides=network.map_strides)
    assert [int(stride) for stride in network.lateral] == [stride for stride in (16, 32) if stride <= network.stride]
    expected = finest.clone()
    for lateral, deep in zip(network.lateral.values(), deeper, strict=True):
        times = finest.shape[2] // deep.shape[2]
        said = torch.einsum("oc,bcxyz->boxyz", lateral.weight, deep) + lateral.bias[:, None, None, None]
        expected += torch.nn.functional.interpolate(said, scale_factor=times, mode="nearest")
    assert torch.allclose(network.encode(crops().unsqueeze(1))[:, 0], expected, atol=1e-5)


def test_strides_that_a_backbone_does_not_have_are_refused():
    for name, said in (("swin", "8, 16, 32;"), ("segres", "8, 16;")):
        for stride in (4, 12, 64):
            with pytest.raises(T3DError, match=f"fuse_stride {stride}: the backbone {name} has maps of stride {said}"):
                PretrainNetwork(backbone=name, text_width=8, fuse_stride=stride, **SMALL[name])
    deepest = PretrainNetwork(backbone="swin", text_width=8, fuse_stride=None, **SMALL["swin"])
    assert deepest.fuse_stride == 32 and not list(deepest.lateral.parameters())


@BOTH
@pytest.mark.parametrize("kind", ["pt", "safetensors"])
def test_all_of_an_encoder_goes_to_the_segmentation_network_and_back(name, kind, tmp_path):
    source = PretrainNetwork(backbone=name, text_width=8, **SMALL[name])
    record = save_encoder(source, tmp_path, record={"network": SMALL[name]})
    target = stock(name)
    load_encoder(target, tmp_path / f"encoder.{kind}")
    state = target.state_dict()
    assert all(torch.equal(state[key], tensor) for key, tensor in encoder_state(source).items())
    torch.save(state, tmp_path / "whole.pt")
    classifier = VolumeClassifier(num_findings=2, backbone=name, crop_size=64, **SMALL[name])
    load_encoder(classifier, tmp_path / "whole.pt")
    assert all(torch.equal(state[key], tensor) for key, tensor in encoder_state(classifier).items())
    assert record["network"]["backbone"] == name


def test_bare_names_of_a_convolutional_encoder_load(tmp_path):
    source = SegResEncoder(init_filters=4, blocks_down=(1, 2, 2, 4, 4), norm="batch")
    state = {f"model.{key}": value for key, value in source.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "x.pt")
    network = PretrainNetwork(backbone="segres", norm="batch", text_width=8, feature_size=4)
    load_encoder(network, tmp_path / "x.pt")
    assert all(torch.equal(network.encoder.state_dict()[key], value) for key, value in source.state_dict().items())
    assert architecture(encoder_state(network)) == {
        "backbone": "segres",
        "stem_stride": 1,
        "feature_size": 4,
        "in_channels": 1,
        "depths": [1, 2, 2, 4, 4],
        "norm": "batch",
    }
    with pytest.raises(T3DError, match="norm is batch there and instance here"):
        load_encoder(PretrainNetwork(backbone="segres", text_width=8, feature_size=4), tmp_path / "x.pt")


@pytest.mark.parametrize(("mine", "other"), [("swin", "segres"), ("segres", "swin")])
def test_weights_of_another_backbone_are_refused_and_nothing_is_loaded(mine, other, tmp_path):
    save_encoder(stock(other), tmp_path, record={})
    target = stock(mine)
    before = {key: tensor.clone() for key, tensor in target.state_dict().items()}
    words = f"holds a {other} encoder, but this network has a {mine} one.*nothing was loaded"
    with pytest.raises(T3DError, match=words):
        load_encoder(target, tmp_path / "encoder.pt")
    assert all(torch.equal(before[key], tensor) for key, tensor in target.state_dict().items())


def test_two_encoders_in_one_file_are_refused(tmp_path):
    torch.save({**encoder_state(stock("swin")), **encoder_state(stock("segres"))}, tmp_path / "both.pt")
    with pytest.raises(T3DError, match="two backbones"):
        load_encoder(stock("swin"), tmp_path / "both.pt")


def test_a_text_model_is_no_convolutional_encoder():
    assert BACKBONES["segres"].weight_name("encoder.layer.0.attention.self.query.weight") is None


def test_checkpointing_changes_no_gradient():
    grads = []
    for use_checkpoint in (False, True):
        settings = {"in_channels": 1, "out_channels": 2, "use_checkpoint": use_checkpoint}
        network = seeded(segmentation_network, "segres", **settings, **SMALL["segres"])
        network(crops(1, size=32)).square().mean().backward()
        grads.append({key: value.grad for key, value in network.named_parameters()})
    assert all(torch.allclose(grads[0][key], grads[1][key], atol=1e-6) for key in grads[0])
    assert len(grads[0]) == len(grads[1])


def test_crops_are_checked_by_the_backbone():
    check_crop_size(48, backbone="segres")
    for size in (16, 40):
        with pytest.raises(T3DError, match="SegResNetDS takes .* multiples of 16 and at least 32; use 32, 48, 64 .."):
            check_crop_size(size, backbone="segres")
    with pytest.raises(T3DError, match="divisible by 16"):
        PretrainNetwork(backbone="segres", text_width=8, feature_size=4)(torch.rand(1, 1, 40, 32, 32))


def test_wrong_settings_are_named():
    with pytest.raises(T3DError, match="backbone 'resnet' is unknown; choose one of swin, segres"):
        find_backbone("resnet")
    with pytest.raises(T3DError, match="no backbone has the setting window"):
        build_encoder("swin", window=3)
    with pytest.raises(T3DError, match="feature_size 5 is odd"):
        build_encoder("segres", feature_size=5)
    with pytest.raises(T3DError, match="norm 'group'.*instance, batch"):
        build_encoder("segres", norm="group")
