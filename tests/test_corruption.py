import numpy as np
import pytest
import torch

from t3d.errors import T3DError
from t3d.transforms.corruption import RandCorruptViewsd


def touched(transform, views, draws):
    """Mean share of changed voxels per voxel position, over draws and views."""
    changed = [transform({"image": views})["corrupted"] != views for _ in range(draws)]
    return torch.stack(changed).float().mean(dim=(0, 1, 2))


@pytest.mark.parametrize(
    ("share", "shuffle_share", "hole_share"),
    [(0.7, 0.1, 0.25), (0.3, 0.3, 0.25), (0.25, 0.0, 0.6), (0.9, 0.1, 0.5)],
)
def test_measured_share_is_the_wanted_one(share, shuffle_share, hole_share):
    views = torch.rand(4, 1, 32, 32, 32, generator=torch.Generator().manual_seed(0))
    transform = RandCorruptViewsd(share=share, shuffle_share=shuffle_share, hole_share=hole_share)
    transform.set_random_state(0)
    assert float(touched(transform, views, 50).mean()) == pytest.approx(share, abs=0.03)


def test_corners_are_corrupted_as_often_as_the_centre():
    views = torch.rand(4, 1, 32, 32, 32, generator=torch.Generator().manual_seed(0))
    transform = RandCorruptViewsd(share=0.5)
    transform.set_random_state(0)
    rate = touched(transform, views, 40)
    corners = np.mean([rate[x, y, z] for x in (0, 31) for y in (0, 31) for z in (0, 31)])
    assert corners == pytest.approx(0.5, abs=0.08)
    assert float(rate[12:20, 12:20, 12:20].mean()) == pytest.approx(0.5, abs=0.08)


def test_shuffling_moves_voxels_and_invents_none():
    views = torch.arange(32.0**3).reshape(1, 1, 32, 32, 32)
    out = RandCorruptViewsd(share=0.3, shuffle_share=0.3).set_random_state(0)({"image": views})["corrupted"]
    assert not torch.equal(out, views)
    assert torch.equal(out.flatten().sort().values, views.flatten())


def test_dropout_fills_with_noise_between_0_and_1():
    views = torch.full((2, 1, 32, 32, 32), 5.0)
    out = RandCorruptViewsd(share=0.7, shuffle_share=0.0).set_random_state(0)({"image": views})["corrupted"]
    noise = out[out != 5]
    assert noise.min() >= 0 and noise.max() < 1
    assert float(noise.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(noise.std()) == pytest.approx(12**-0.5, abs=0.01)


def test_views_are_corrupted_on_their_own_and_the_clean_ones_stay():
    view = torch.rand(1, 1, 32, 32, 32)
    views = torch.cat([view, view])
    before = views.clone()
    item = {"image": views, "case_id": "a"}
    out = RandCorruptViewsd().set_random_state(0)(item)
    assert out["image"] is views and torch.equal(views, before) and "corrupted" not in item
    assert not torch.equal(out["corrupted"][0], out["corrupted"][1])
    assert type(out["corrupted"]) is torch.Tensor and out["corrupted"].dtype == views.dtype


def test_share_zero_is_a_copy():
    views = torch.rand(2, 1, 32, 32, 32)
    out = RandCorruptViewsd(share=0).set_random_state(0)({"image": views})["corrupted"]
    assert torch.equal(out, views) and out.data_ptr() != views.data_ptr()


def test_seed_decides_whatever_was_drawn_before():
    views = torch.rand(2, 1, 32, 32, 32)
    transform = RandCorruptViewsd()
    first = transform.set_random_state(seed=7)({"image": views})["corrupted"]
    other = transform({"image": views})["corrupted"]
    again = transform.set_random_state(seed=7)({"image": views})["corrupted"]
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_crops_with_unequal_sides_and_two_channels():
    views = torch.rand(2, 2, 32, 64, 32)
    out = RandCorruptViewsd(share=0.5, shuffle_share=0).set_random_state(0)({"image": views})["corrupted"]
    changed = out != views
    assert torch.equal(changed[:, 0], changed[:, 1])
    assert 0.3 < float(changed.float().mean()) < 0.7


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"share": 1.0}, "share is 1.0"),
        ({"share": -0.1}, "share is -0.1"),
        ({"shuffle_share": 2}, "shuffle_share is 2"),
        ({"hole_share": 0}, "hole_share is 0"),
        ({"corrupted_key": ["a", "b"]}, "names 2 keys for 1"),
    ],
)
def test_impossible_settings_are_refused(options, words):
    with pytest.raises(T3DError, match=words):
        RandCorruptViewsd(**options)


def test_only_the_first_views_are_corrupted_and_as_if_they_were_all():
    views = torch.rand(4, 1, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    found = RandCorruptViewsd(first=2).set_random_state(3)({"image": views})
    alone = RandCorruptViewsd().set_random_state(3)({"image": views[:2]})
    assert found["corrupted"].shape == (2, 1, 16, 16, 16) and torch.equal(found["corrupted"], alone["corrupted"])
    assert torch.equal(found["image"], views)
