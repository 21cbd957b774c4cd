"""Voxels folded into channels before SegRes: MONAI's network around a plain fold, one encoder in all networks."""

import math

import pytest
import torch
from ignite.engine import Engine
from monai.networks.nets import SegResNetDS
from monai.networks.utils import pixelshuffle

from t3d.bundle.start import start_network
from t3d.errors import T3DError
from t3d.networks.encoders import build_encoder, segmentation_network
from t3d.networks.pretrain import PretrainNetwork
from t3d.networks.segres_encoder import DEPTHS, STRIDE, ConvEncoder, FoldedSegResNet, fold
from t3d.networks.volume_classifier import VolumeClassifier
from t3d.train import bfloat16_on_cpu
from t3d.train.bfloat16_on_cpu import CheckBfloat16
from t3d.train.fine_tuning import parameter_groups
from t3d.weights import encoder_state, load_encoder, save_encoder
from t3d.weights.architecture import architecture

STEMS = pytest.mark.parametrize("stem", [2, 4])
PREPARATION = {"spacing": [1.0, 1.0, 1.0], "orientation": "RAS", "hu_range": [-1000, 1000]}


def crops(size=32, count=2, channels=1):
    return torch.rand(count, channels, size, size, size, generator=torch.Generator().manual_seed(1))


def network(stem, seed=0, **settings):
    torch.manual_seed(seed)
    return segmentation_network(
        "segres", in_channels=1, out_channels=2, feature_size=8, stem_stride=stem, **settings
    ).eval()


def pre_trained(stem):
    return PretrainNetwork(backbone="segres", text_width=8, feature_size=8, stem_stride=stem).eval()


def folded(x, stem):
    """Each voxel by its place inside its cube."""
    parts = [x[:, :, a::stem, b::stem, c::stem] for a in range(stem) for b in range(stem) for c in range(stem)]
    return torch.stack(parts, dim=2).flatten(1, 2)


def unfolded(x, stem):
    found = x.new_zeros(len(x), x.shape[1] // stem**3, *(side * stem for side in x.shape[2:]))
    for number, part in enumerate(x.unflatten(1, (-1, stem**3)).unbind(2)):
        a, b, c = number // stem**2, number // stem % stem, number % stem
        found[:, :, a::stem, b::stem, c::stem] = part
    return found


@STEMS
def test_folding_loses_nothing(stem):
    image = crops(16, channels=3)
    assert torch.equal(fold(image, stem), folded(image, stem))
    assert torch.equal(pixelshuffle(fold(image, stem), 3, stem), image)
    assert fold(image, 1) is image


@STEMS
@torch.no_grad()
def test_the_network_is_monais_between_fold_and_unfold(stem):
    ours = network(stem)
    torch.manual_seed(0)
    channels = {"in_channels": stem**3, "out_channels": 2 * stem**3}
    theirs = SegResNetDS(**channels, init_filters=8, blocks_down=DEPTHS[stem], norm="instance").eval()
    one, other = ours.state_dict(), theirs.state_dict()
    assert list(one) == list(other) and all(torch.equal(one[name], other[name]) for name in one)
    found = ours(crops())
    assert type(ours) is FoldedSegResNet and found.shape == (2, 2, 32, 32, 32)
    assert torch.equal(found, unfolded(theirs(folded(crops(), stem)), stem))
    assert torch.equal(ours.train()(crops()), found)


@STEMS
def test_crops_are_refused_in_voxels(stem):
    assert network(stem).shape_factor() == [STRIDE] * 3
    with pytest.raises(ValueError, match=r"40, 32, 32.*divisible by \[16, 16, 16\]"):
        network(stem)(torch.zeros(1, 1, 40, 32, 32))


@torch.no_grad()
def test_one_encoder_gives_the_same_maps_in_all_networks(tmp_path):
    source = pre_trained(4)
    save_encoder(source, tmp_path, record={"network": {"stem_stride": 4}})
    classifier = VolumeClassifier(num_findings=2, backbone="segres", feature_size=8, stem_stride=4, crop_size=32)
    for target in (network(4, seed=5), classifier.eval()):
        load_encoder(target, tmp_path / "encoder.safetensors")
        assert target.encoder.strides == (4, 8, 16) and target.encoder.widths == (8, 16, 32)
        for found, wanted in zip(target.encoder(crops()), source.encoder(crops()), strict=True):
            assert torch.equal(found, wanted)
    assert [tuple(found.shape[1:]) for found in source.encoder(crops())] == [(8,) * 4, (16, 4, 4, 4), (32, 2, 2, 2)]


@pytest.mark.parametrize(("there", "here"), [(1, 4), (4, 1), (2, 4)])
def test_another_stem_is_refused_by_name(there, here, tmp_path):
    save_encoder(pre_trained(there), tmp_path, record={})
    for target in (network(here), pre_trained(here)):
        before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
        said = f"stem_stride is {there} there and {here} here.*network with the file's stem_stride {there},.*nothing"
        with pytest.raises(T3DError, match=said):
            load_encoder(target, tmp_path / "encoder.safetensors")
        assert all(torch.equal(before[name], tensor) for name, tensor in target.state_dict().items())


@pytest.mark.parametrize("stem", [1, 2, 4])
def test_weights_tell_their_stem(stem):
    settings = {"stem_stride": stem, "feature_size": 8, "in_channels": 1, "depths": list(DEPTHS[stem])}
    found = architecture(encoder_state(network(stem)))
    assert found == {"backbone": "segres", **settings, "norm": "instance"}
    again = build_encoder(found.pop("backbone"), **found)
    again.load_state_dict(network(stem).encoder.state_dict())


def test_channels_that_are_no_folded_ct_stay_channels():
    found = architecture(encoder_state(SegResNetDS(in_channels=4, init_filters=4, blocks_down=(1, 2), norm="batch")))
    assert (found["stem_stride"], found["in_channels"]) == (1, 4)


def test_blocks_are_computed_again_where_asked_and_voxels_fold_once():
    gradients = []
    for use_checkpoint in (False, True):
        target = network(4).train()
        options = {"encoder_weights": None, "preparation": PREPARATION, "use_checkpoint": use_checkpoint}
        start_network(target, ckpt_dir="nowhere", **options)
        assert isinstance(target.encoder, ConvEncoder) and target.encoder.use_checkpoint == use_checkpoint
        target(crops()).square().mean().backward()
        gradients.append([parameter.grad for parameter in target.parameters()])
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(*gradients, strict=True))


def test_the_deepest_stage_learns_next_to_the_decoder():
    target = network(4)
    groups = parameter_groups(target, learning_rate=0.1, layer_decay=0.5, weight_decay=0.01)
    assert [group["lr"] for group in groups] == pytest.approx([0.1 * 0.5**power for power in (4, 3, 2, 1, 0)])
    rate = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    assert rate[id(target.encoder.layers[2]["blocks"][0].conv1.weight)] == pytest.approx(0.05)


def test_the_smallest_maps_stay_in_float32_under_autocast():
    encoder = build_encoder("segres", feature_size=8, stem_stride=4)
    blocks, seen = encoder.layers[2]["blocks"], []
    handle = blocks.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    with torch.autocast("cpu", torch.bfloat16):
        large, small = encoder(crops(64))[-1], encoder(crops())[-1]
    handle.remove()
    assert large.dtype == torch.bfloat16 and small.dtype == seen[1].dtype == torch.float32
    push = torch.randn(small.shape, generator=torch.Generator().manual_seed(2))
    (small * push).sum().backward()
    found = [parameter.grad for parameter in blocks.parameters()]
    expected = torch.autograd.grad((blocks(seen[1]) * push).sum(), list(blocks.parameters()))
    assert len(found) == len(expected) > 20
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_a_training_in_bfloat16_goes_where_only_the_smallest_maps_are_wrong(monkeypatch):
    monkeypatch.setattr(bfloat16_on_cpu, "gradient_is_right", lambda layer, sides: min(sides) > 2)
    views = crops(count=4).unflatten(0, (2, 2))
    text = {"report": torch.randn(2, 3, 8), "report_mask": torch.ones(2, 3, dtype=torch.bool)}
    steps = {
        network(4): lambda folded: folded(crops()),
        pre_trained(4): lambda pre_training: pre_training(views, corrupted=views, **text)["restored"],
    }
    for target, step in steps.items():

        def autocast(engine, batch, target=target, step=step):
            with torch.autocast("cpu", torch.bfloat16):
                return step(target.train()).float().sum().item()

        engine = Engine(autocast)
        CheckBfloat16(target).attach(engine)
        engine.run([0])
        assert math.isfinite(engine.state.output)


def test_a_stem_of_another_size_is_named():
    with pytest.raises(T3DError, match="stem_stride 3 is unknown; choose one of 1, 2, 4"):
        build_encoder("segres", stem_stride=3)
