import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from t3d.errors import T3DError
from t3d.infer.save_features import map_affine
from t3d.infer.volume_features import VolumeFeatures
from t3d.networks.pretrain import PretrainNetwork


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return PretrainNetwork(feature_size=12, window_size=2, text_width=8, embedding_width=16).eval()


@torch.no_grad()
def test_equals_a_plain_loop_over_windows(network):
    volume = torch.rand(1, 1, 96, 64, 32, generator=torch.Generator().manual_seed(1))
    volume[:, :, :32] *= 0.1  # air on one side
    found = VolumeFeatures(crop_size=(64, 64, 32), sw_batch_size=2)(volume, network)

    windows = [volume[:, :, x : x + 64] for x in (0, 32)]
    maps = [network.encode(window.unsqueeze(1))[:, 0] for window in windows]
    expected = torch.zeros(1, 192, 3, 2, 1)
    expected[:, :, :2] += maps[0]
    expected[:, :, 1:] += maps[1]
    expected[:, :, 1] /= 2
    assert torch.allclose(found["map"], expected, atol=1e-5)
    pooled = torch.stack([m.flatten(2).mean(dim=2)[0] for m in maps])
    assert torch.allclose(found["features"][0], pooled.mean(dim=0), atol=1e-5)
    embedding = F.normalize(network.image_head(pooled).mean(dim=0), dim=0)
    assert torch.allclose(found["embedding"][0], embedding, atol=1e-5)


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
    assert found["text_map"].shape == (1, 1, 2, 3, 1)
    corner = network.text_map(volume[:, :, :32, 64:], **text)
    assert torch.allclose(found["text_map"][:, :, 0, 2, 0].flatten(), corner.flatten(), atol=1e-5)


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
