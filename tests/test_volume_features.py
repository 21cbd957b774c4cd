import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from t3d.errors import T3DError
from t3d.infer.save_features import map_affine
from t3d.infer.volume_features import VolumeFeatures
from t3d.networks.pretrain import VERSION_0_1, PretrainNetwork
from t3d.networks.text_map import text_map

KINDS = {"version 0.1": VERSION_0_1, "today": {}, "sentences": {"use_sentences": True}}


@pytest.fixture(scope="module", params=KINDS)
def network(request):
    torch.manual_seed(0)
    sizes = {"feature_size": 12, "window_size": 2, "text_width": 8, "embedding_width": 16}
    return PretrainNetwork(**sizes, **KINDS[request.param]).eval()


@torch.no_grad()
def test_equals_a_plain_loop_over_windows(network):
    volume = torch.rand(1, 1, 96, 64, 32, generator=torch.Generator().manual_seed(1))
    volume[:, :, :32] *= 0.1  # air on one side
    found = VolumeFeatures(crop_size=(64, 64, 32), sw_batch_size=2)(volume, network)

    windows = [volume[:, :, x : x + 64] for x in (0, 32)]
    maps = [network.encode(window.unsqueeze(1))[:, 0] for window in windows]
    stride, width = network.fuse_stride, maps[0].shape[1]
    each = 32 // stride
    expected = torch.zeros(1, width, 3 * each, 2 * each, each)
    expected[:, :, : 2 * each] += maps[0]
    expected[:, :, each:] += maps[1]
    expected[:, :, each : 2 * each] /= 2
    assert torch.allclose(found["map"], expected, atol=1e-5)
    statistics = [(m.flatten(2).mean(2), m.flatten(2).amax(2), m.flatten(2).amin(2)) for m in maps]
    mean = torch.stack([one[0] for one in statistics]).mean(dim=0)
    largest = torch.stack([one[1] for one in statistics]).amax(dim=0)
    smallest = torch.stack([one[2] for one in statistics]).amin(dim=0)
    wanted = torch.cat([mean, largest, smallest][: network.pooled_width // width], dim=1)
    assert torch.allclose(found["features"], wanted, atol=1e-5)
    if network.use_sentences:
        embedding = F.normalize(network.volume_head.layers(wanted), dim=1)
    else:
        pooled = torch.cat([torch.cat(one[: network.pooled_width // width], dim=1) for one in statistics])
        embedding = F.normalize(network.image_head(pooled).mean(dim=0, keepdim=True), dim=1)
    assert torch.allclose(found["embedding"], embedding, atol=1e-5)
    assert torch.allclose(found["embedding"], network(torch.stack(windows, dim=1)), atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize(("backbone", "scales"), [("swin", (8, 16, 32)), ("segres", (4, 8, 16))])
def test_scales_are_those_of_a_plain_loop_and_change_nothing_else(backbone, scales):
    torch.manual_seed(0)
    sizes = {"feature_size": 12, "window_size": 2, "text_width": 8, "embedding_width": 16}
    network = PretrainNetwork(**sizes, backbone=backbone, use_sentences=True).eval()
    volume = torch.rand(1, 1, 96, 64, 64, generator=torch.Generator().manual_seed(3))
    volume[:, :, :, :, 32:] = 0.0  # air in half of every window, all of none
    options = {"crop_size": (64, 64, 64), "sw_batch_size": 1}
    plain = VolumeFeatures(**options)(volume, network)
    found = VolumeFeatures(**options, scales=scales)(volume, network)
    pooled = VolumeFeatures(**options, scales=scales[::-2], maps=False)(volume, network)
    assert set(found) - set(plain) == {f"{what}_{scale}" for what in ("features", "map") for scale in scales}
    assert set(pooled) - set(plain) == {f"features_{scales[0]}", f"features_{scales[2]}"}
    for name, value in plain.items():
        torch.testing.assert_close(found[name], value, atol=1e-5, rtol=0)
    windows = [volume[:, :, x : x + 64] for x in (0, 32)]
    for scale in scales:
        maps = [network.vision(window, strides=(scale,))[0] for window in windows]
        each = 32 // scale
        expected = torch.zeros(1, maps[0].shape[1], 3 * each, 2 * each, 2 * each)
        expected[:, :, : 2 * each] += maps[0]
        expected[:, :, each:] += maps[1]
        expected[:, :, each : 2 * each] /= 2
        torch.testing.assert_close(found[f"map_{scale}"], expected, atol=1e-5, rtol=0)
        tokens = torch.cat([one.flatten(2) for one in maps], dim=2)  # all windows' tokens at once
        expected = torch.cat([tokens.mean(dim=2), tokens.amax(dim=2), tokens.amin(dim=2)], dim=1)
        torch.testing.assert_close(found[f"features_{scale}"], expected, atol=1e-5, rtol=0)
        if scale != scales[1]:
            torch.testing.assert_close(pooled[f"features_{scale}"], expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_scales_leave_windows_of_air_out_and_go_with_a_text(network):
    body = torch.rand(1, 1, 32, 32, 32, generator=torch.Generator().manual_seed(2))
    volume = torch.cat([torch.zeros_like(body), body, torch.zeros_like(body)], dim=2)
    text = {"report": torch.randn(1, 4, 8), "report_mask": torch.ones(1, 4, dtype=torch.bool)}
    found = VolumeFeatures(crop_size=32, scales=[16], text=text)(volume, network)
    (tokens,) = (one.flatten(2) for one in network.vision(body, strides=(16,)))
    expected = torch.cat([tokens.mean(dim=2), tokens.amax(dim=2), tokens.amin(dim=2)], dim=1)
    torch.testing.assert_close(found["features_16"], expected, atol=1e-5, rtol=0)
    plain = VolumeFeatures(crop_size=32, text=text)(volume, network)
    assert torch.allclose(found["text_map"], plain["text_map"], atol=1e-6)


@torch.no_grad()
def test_windows_of_air_do_not_count(network):
    body = torch.rand(1, 1, 32, 32, 32, generator=torch.Generator().manual_seed(2))
    volume = torch.cat([torch.zeros_like(body), body, torch.zeros_like(body)], dim=2)
    found = VolumeFeatures(crop_size=32)(volume, network)
    assert torch.allclose(found["embedding"], network(body), atol=1e-5)
    nothing = VolumeFeatures(crop_size=32)(torch.zeros_like(volume), network)
    assert torch.isfinite(nothing["embedding"]).all()


@torch.no_grad()
def test_text_map_covers_the_volume(network):
    text = {"report": torch.randn(1, 4, 8), "report_mask": torch.ones(1, 4, dtype=torch.bool)}
    volume = torch.rand(1, 1, 64, 96, 32)
    found = VolumeFeatures(crop_size=32, text=text, sw_batch_size=3)(volume, network)
    each = 32 // network.fuse_stride
    assert found["text_map"].shape == (1, 1, 2 * each, 3 * each, each)
    corner = text_map(network, volume[:, :, :32, 64:], **text)
    assert torch.allclose(found["text_map"][:, :, :each, 2 * each :], corner, atol=1e-5)


def test_map_affine_puts_a_token_amid_its_voxels():
    affine = torch.tensor([[-2.0, 0, 0, 10], [0, 0, 3, -5], [0, 1, 0, 7], [0, 0, 0, 1]], dtype=torch.float64)
    voxels = np.array(list(itertools.product(range(32, 64), range(32), range(32)))).mean(axis=0)
    centre = affine @ torch.tensor([*voxels, 1.0], dtype=torch.float64)
    assert torch.allclose(map_affine(affine) @ torch.tensor([1.0, 0, 0, 1], dtype=torch.float64), centre)


def test_faults_are_named(network):
    with pytest.raises(T3DError, match="crop_size 40"):
        VolumeFeatures(crop_size=40)
    with pytest.raises(T3DError, match="pad it first"):
        VolumeFeatures(crop_size=64)(torch.zeros(1, 1, 32, 64, 64), network)
    for wrong in ([5], [16, 16]):
        with pytest.raises(T3DError, match=r"scales .*have the strides \[.*16, 32\]"):
            VolumeFeatures(crop_size=32, scales=wrong)(torch.zeros(1, 1, 32, 32, 32), network)
