"""A volume's vector is that of its body: the windows of a training, whatever air lies around."""

import pytest
import torch
import torch.nn.functional as F
from monai.transforms import CropForeground

from t3d.infer.body_windows import body_windows
from t3d.infer.volume_features import VolumeFeatures
from t3d.networks.pretrain import PretrainNetwork
from t3d.networks.window_grid import window_starts
from t3d.transforms.body import is_body

SEEN = {"body_level": 0.2, "body_share": 0.05}


def body(size=(40, 45, 33)):
    generator = torch.Generator().manual_seed(0)
    return 0.3 + 0.5 * torch.rand(1, *size, generator=generator)


def in_air(volume, before=(4, 4, 4), to=(96, 96, 64)):
    after = [n - b - side for n, b, side in zip(to, before, volume.shape[1:], strict=True)]
    return F.pad(volume, [n for b, a in zip(before[::-1], after[::-1], strict=True) for n in (b, a)])


def test_they_cover_the_box_that_a_training_draws_from():
    volume = in_air(body(), before=(20, 7, 9))
    found = body_windows(volume, (32, 32, 32), **SEEN)
    box = CropForeground(select_fn=is_body, margin=4, allow_smaller=True)(volume).as_tensor()
    assert box.shape == (1, 48, 53, 41)
    starts = window_starts((48, 53, 41), (32, 32, 32), overlap=0.25).tolist()
    plain = [box[:, x : x + 32, y : y + 32, z : z + 32] for x, y, z in starts]
    assert torch.equal(found, torch.stack(plain))


def test_a_box_smaller_than_a_window_is_filled_up_and_air_alone_is_seen_whole():
    small = in_air(body((10, 40, 12)))
    found = body_windows(small, (32, 32, 32), **SEEN)
    assert found.shape == (2, 1, 32, 32, 32)
    assert torch.equal(found[0, 0, 4:14, 4:, 4:16], small[0, 4:14, 4:32, 4:16]) and not found[:, :, 18:].any()
    assert body_windows(torch.zeros(1, 32, 64, 32), (32, 32, 32), **SEEN).shape == (3, 1, 32, 32, 32)


@torch.no_grad()
@pytest.mark.parametrize("scales", [None, (8, 16)])
def test_air_around_the_body_does_not_change_the_vector(scales):
    torch.manual_seed(0)
    sizes = {"feature_size": 12, "window_size": 2, "text_width": 8, "embedding_width": 16}
    network = PretrainNetwork(**sizes, use_sentences=True).eval()
    look = VolumeFeatures(crop_size=32, sw_batch_size=3, of_body=True, scales=scales)
    near, far = (
        look(in_air(body(), before=before, to=to).unsqueeze(0), network)
        for before, to in (((4, 4, 4), (64, 64, 64)), ((30, 20, 9), (96, 96, 64)))
    )
    for name in ("embedding", "features", *([] if scales is None else ("features_8", "features_16"))):
        torch.testing.assert_close(near[name], far[name], atol=1e-5, rtol=1e-5)
    windows = body_windows(in_air(body()), (32, 32, 32), **SEEN)
    torch.testing.assert_close(near["embedding"], network(windows.unsqueeze(0)), atol=1e-5, rtol=1e-5)
    assert near["map"].shape == (1, 96, 4, 4, 4)
    assert not torch.allclose(
        near["embedding"], VolumeFeatures(crop_size=32)(in_air(body()).unsqueeze(0), network)["embedding"], atol=1e-3
    )


@torch.no_grad()
@pytest.mark.parametrize("scales", [None, (8, 16)])
def test_without_maps_only_the_windows_of_the_body_are_encoded(scales):
    torch.manual_seed(0)
    sizes = {"feature_size": 12, "window_size": 2, "text_width": 8, "embedding_width": 16}
    network = PretrainNetwork(**sizes, use_sentences=True).eval()
    volume = in_air(body(), before=(4, 4, 4), to=(64, 64, 64)).unsqueeze(0)
    encoded = []
    network.vision.register_forward_pre_hook(lambda module, inputs: encoded.append(len(inputs[0])))
    options = {"crop_size": 32, "sw_batch_size": 3, "of_body": True, "scales": scales}
    found = VolumeFeatures(**options, maps=False)(volume, network)
    count = len(body_windows(volume[0], (32, 32, 32), **SEEN))
    assert sum(encoded) == count
    whole = VolumeFeatures(**options)(volume, network)
    assert sum(encoded) == 2 * count + 8, "eight windows cover the volume for its maps"
    assert found.keys() == {name for name in whole if not name.startswith("map")}
    for name, value in found.items():
        assert torch.equal(value, whole[name])
