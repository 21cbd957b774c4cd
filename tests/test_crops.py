import logging

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose

from t3d.errors import T3DError
from t3d.transforms.crops import PairedCropsd


def indexed(shape):
    """Volume whose voxels hold their own index, so that a crop tells where it came from."""
    return torch.arange(int(np.prod(shape)), dtype=torch.float64).reshape(1, *shape)


def test_views_are_the_voxels_at_view_start():
    volume = indexed((40, 50, 70))
    crops = PairedCropsd(crop_size=(32, 32, 64), num_views=3)
    for seed in range(20):
        crops.set_random_state(seed)
        out = crops({"image": volume, "case_id": "a"})
        assert out["image"].shape == (3, 1, 32, 32, 64)
        assert out["view_start"].shape == (3, 3) and out["view_start"].dtype == torch.int64
        for view, (x, y, z) in zip(out["image"], out["view_start"].tolist(), strict=True):
            assert torch.equal(view, volume[:, x : x + 32, y : y + 32, z : z + 64])


def test_first_view_reaches_every_place_up_to_the_edge():
    crops = PairedCropsd(crop_size=32, num_views=1)
    crops.set_random_state(0)
    starts = []
    for _ in range(300):
        crops.randomize((35, 32, 34))
        starts.append(crops.starts[0])
    starts = np.array(starts)
    assert [sorted(set(axis.tolist())) for axis in starts.T] == [[0, 1, 2, 3], [0], [0, 1, 2]]
    assert np.bincount(starts[:, 0]).min() > 45


def test_displacement_keeps_the_overlap_and_uses_all_of_it():
    crops = PairedCropsd(crop_size=32, view_overlap=0.75)
    crops.set_random_state(0)
    shifts = []
    for _ in range(500):
        crops.randomize((200, 200, 200))
        shifts.append(crops.starts[1] - crops.starts[0])
    assert sorted(set(np.ravel(shifts).tolist())) == list(range(-8, 9))


def test_displacement_is_clipped_at_the_edge_only():
    crops = PairedCropsd(crop_size=32, view_overlap=0.5)
    crops.set_random_state(0)
    second = []
    for _ in range(200):
        crops.randomize((40, 200, 200), (0.0, 0.5, 1.0))
        assert crops.starts[0].tolist() == [0, 84, 168]
        second.append(crops.starts[1])
    second = np.array(second)
    assert second[:, 0].min() == 0 and second[:, 0].max() == 8
    assert second[:, 1].min() == 68 and second[:, 1].max() == 100
    assert second[:, 2].min() == 152 and second[:, 2].max() == 168


def test_overlap_of_one_gives_equal_views_and_none_gives_free_ones():
    volume = indexed((64, 64, 64))
    same = PairedCropsd(crop_size=32, view_overlap=1.0).set_random_state(1)({"image": volume})
    assert torch.equal(same["image"][0], same["image"][1])
    free = PairedCropsd(crop_size=32, view_overlap=None)
    free.set_random_state(1)
    far = 0
    for _ in range(50):
        free.randomize((200, 200, 200))
        far = max(far, int(np.abs(free.starts[1] - free.starts[0]).max()))
    assert far > 100


def test_matched_position_is_relative_to_the_room():
    crops = PairedCropsd(crop_size=32)
    for size, place, start in (
        ((64, 48, 33), (0.5, 0.5, 0.5), [16, 8, 1]),
        ((64, 48, 33), (1.0, 0.0, 0.4), [32, 0, 0]),
        ((132, 132, 132), (0.123, 0.5, 0.777), [12, 50, 78]),
    ):
        crops.randomize(size, place)
        assert crops.starts[0].tolist() == start


def test_small_volumes_are_padded_on_both_sides_and_said_once(caplog):
    volume = torch.ones(1, 20, 40, 32)
    crops = PairedCropsd(crop_size=32, pad_value=0.25)
    crops.set_random_state(0)
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            out = crops({"image": volume, "case_id": "tiny"})
    assert [r.getMessage() for r in caplog.records] == [
        "case tiny: volume of 20 x 40 x 32 voxels padded to the crop size 32 x 32 x 32"
    ]
    view = out["image"][0, 0]
    assert torch.all(view[:6] == 0.25) and torch.all(view[6:26] == 1) and torch.all(view[26:] == 0.25)
    assert volume.shape == (1, 20, 40, 32)


def test_result_is_plain_contiguous_and_independent_of_the_volume():
    volume = MetaTensor(indexed((40, 40, 40)).float(), affine=torch.eye(4))
    item = {"image": volume, "case_id": "a"}
    out = PairedCropsd(crop_size=32).set_random_state(0)(item)
    assert type(out["image"]) is torch.Tensor and out["image"].is_contiguous()
    assert out["image"].untyped_storage().nbytes() == 2 * 32**3 * 4
    out["image"].zero_()
    assert torch.equal(volume.as_tensor(), indexed((40, 40, 40)).float()) and item["image"] is volume


def test_numpy_memory_maps_are_cropped_too(tmp_path):
    store = np.memmap(tmp_path / "v.dat", dtype=np.float32, mode="w+", shape=(1, 40, 40, 40))
    store[:] = indexed((40, 40, 40)).numpy()
    a = PairedCropsd(crop_size=32).set_random_state(4)({"image": store})
    b = PairedCropsd(crop_size=32).set_random_state(4)({"image": indexed((40, 40, 40)).float()})
    assert torch.equal(a["image"], b["image"])


def test_several_keys_are_cut_at_the_same_places():
    volume = indexed((40, 50, 60))
    out = PairedCropsd(["image", "label"], crop_size=32).set_random_state(0)({"image": volume, "label": volume * 2})
    assert torch.equal(out["image"] * 2, out["label"])
    with pytest.raises(T3DError, match="case a: the volumes image, label"):
        PairedCropsd(["image", "label"], crop_size=32)({"image": volume, "label": volume[:, 1:], "case_id": "a"})


def test_seed_from_compose_decides():
    item = {"image": indexed((60, 60, 60))}
    chain = Compose([PairedCropsd(crop_size=32)])
    starts = [chain.set_random_state(seed)(item)["view_start"].tolist() for seed in (1, 2, 1)]
    assert starts[0] == starts[2] != starts[1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"crop_size": 48}, "crop_size is 48 x 48 x 48.*divisible by 32.*64 x 64 x 64"),
        ({"crop_size": (64, 64, 40)}, "64 x 64 x 40.*for example 64 x 64 x 32"),
        ({"crop_size": 0}, "crop_size is 0"),
        ({"crop_size": 32, "view_overlap": 1.2}, "view_overlap is 1.2"),
        ({"crop_size": 32, "num_views": 0}, "num_views is 0"),
    ],
)
def test_impossible_settings_are_refused(options, words):
    with pytest.raises(T3DError, match=words):
        PairedCropsd(**options)


def test_pairs_are_first_crops_at_their_own_places_and_then_their_partners():
    volume = indexed((200, 180, 160))
    crops = PairedCropsd(crop_size=32, view_overlap=0.5, pairs=3)
    firsts = set()
    for seed in range(20):
        out = crops.set_random_state(seed)({"image": volume})
        first, second = out["view_start"][:3], out["view_start"][3:]
        assert out["image"].shape == (6, 1, 32, 32, 32) and (first - second).abs().max() <= 16
        assert len({tuple(start) for start in first.tolist()}) == 3
        firsts |= {tuple(start) for start in first.tolist()}
        for view, (x, y, z) in zip(out["image"], out["view_start"].tolist(), strict=True):
            assert torch.equal(view, volume[:, x : x + 32, y : y + 32, z : z + 32])
    assert len(firsts) == 60


@pytest.mark.parametrize("matched", [None, (0.2, 0.4, 0.9)])
def test_one_pair_is_what_two_views_are(matched):
    pair, views = PairedCropsd(crop_size=32, pairs=1), PairedCropsd(crop_size=32)
    for seed in range(10):
        for crops in (pair, views):
            crops.set_random_state(seed).randomize((100, 80, 90), matched)
        assert (pair.starts == views.starts).all()


def test_a_matched_place_matches_every_pair_over_the_batch():
    crops = PairedCropsd(crop_size=32, pairs=3)
    places = []
    for seed, size in enumerate([(132, 132, 132), (232, 332, 432)]):
        crops.set_random_state(seed).randomize(size, (0.25, 0.5, 1.0))
        places.append(crops.starts[:3] / (np.array(size) - 32))
    assert np.abs(places[0] - places[1]).max() < 0.01
    assert places[0][0].tolist() == [0.25, 0.5, 1.0] and len(np.unique(places[0].round(2), axis=0)) == 3
    assert 0 <= places[0].min() and places[0].max() <= 1


def test_no_pairs_are_refused():
    with pytest.raises(T3DError, match="pairs is 0"):
        PairedCropsd(crop_size=32, pairs=0)
