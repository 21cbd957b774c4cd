import numpy as np
import pytest
import torch

from t3d.errors import T3DError
from t3d.transforms.windows import RandRowsd, RandWindowsd


def volume(size=(80, 40, 32), body=((0, 80), (0, 40), (0, 32))):
    """Every voxel names its place; only the body is bright."""
    numbers = torch.arange(float(np.prod(size))).reshape(size) / np.prod(size) * 0.1
    numbers[tuple(slice(a, b) for a, b in body)] += 0.5
    return numbers[None]


def draw(seed, item, **options):
    transform = RandWindowsd("image", crop_size=32, **options)
    transform.set_random_state(seed=seed)
    return transform(item), transform


def test_windows_are_pieces_of_the_volume_at_the_drawn_places():
    item = {"image": volume()}
    found, transform = draw(1, item, train_windows=3)
    assert found["image"].shape == (3, 32, 32, 32) and found["window_mask"].tolist() == [True] * 3
    for window, (x, y, z) in zip(found["image"], transform.starts, strict=False):
        assert torch.equal(window, item["image"][0, x : x + 32, y : y + 32, z : z + 32])


def test_seeds_repeat_and_differ():
    item = {"image": volume()}
    one, again, other = (draw(seed, item, train_windows=2)[0]["image"] for seed in (1, 1, 2))
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_air_is_left_out_and_missing_windows_are_masked():
    item = {"image": volume(size=(128, 32, 32), body=((0, 20), (0, 32), (0, 32)))}
    for seed in range(5):
        found, _ = draw(seed, item, train_windows=4, overlap=0)
        count = int(found["window_mask"].sum())
        assert 1 <= count < 4
        shares = (found["image"][:count] > 0.2).float().mean(dim=(1, 2, 3))
        assert (shares >= 0.05).all() and found["image"][count:].abs().sum() == 0


def test_a_volume_of_air_is_not_empty():
    found, _ = draw(0, {"image": torch.zeros(1, 64, 32, 32) + 0.01}, train_windows=2, overlap=0)
    assert found["window_mask"].tolist() == [True, True] and found["image"].min() > 0


def test_a_small_volume_is_padded_with_air():
    found, _ = draw(0, {"image": torch.ones(1, 20, 32, 10)}, train_windows=1)
    assert found["image"].sum() == 20 * 32 * 10 and found["image"][0, :20, :, :10].min() == 1


def test_memory_does_not_grow_with_the_volume():
    small, _ = draw(0, {"image": volume((64, 64, 64), ((0, 64),) * 3)}, train_windows=4)
    large, _ = draw(0, {"image": volume((128, 96, 96), ((0, 128), (0, 96), (0, 96)))}, train_windows=4)
    assert small["image"].shape == large["image"].shape
    assert large["image"].untyped_storage().nbytes() == 4 * 4 * 32**3


def test_all_windows_of_the_grid_are_drawn_in_time():
    seen = set()
    for seed in range(60):
        _, transform = draw(seed, {"image": volume((96, 32, 32), ((0, 96), (0, 32), (0, 32)))}, train_windows=1)
        seen.add(int(transform.starts[0, 0]))
    assert min(seen) == 0 and max(seen) == 64 and len(seen) > 15


def test_a_channel_is_kept_on_demand():
    item = {"image": volume()}
    (plain, _), (kept, _) = (draw(1, item, train_windows=3, channel=channel) for channel in (False, True))
    assert kept["image"].shape == (3, 1, 32, 32, 32) and torch.equal(kept["image"][:, 0], plain["image"])


def test_rows_are_drawn_among_the_counted_ones():
    features = torch.arange(12.0).reshape(6, 2)
    mask = torch.tensor([True, False, True, True, False, True])
    transform = RandRowsd("image", rows=3)
    transform.set_random_state(seed=0)
    found = transform({"image": features, "window_mask": mask})
    assert found["window_mask"].tolist() == [True] * 3
    assert {tuple(row) for row in found["image"].tolist()} < {(0, 1), (4, 5), (6, 7), (10, 11)}
    more = RandRowsd("image", rows=6)({"image": features, "window_mask": mask})
    assert more["window_mask"].tolist() == [True] * 4 + [False] * 2 and more["image"][4:].abs().sum() == 0


def test_wrong_numbers_are_named():
    with pytest.raises(T3DError, match="train_windows 0"):
        RandWindowsd("image", crop_size=32, train_windows=0)
