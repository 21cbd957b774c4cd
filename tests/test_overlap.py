import math
import time

import numpy as np
import pytest

from t3d.metrics.overlap import case_overlap, class_overlap, numbered

SPACING = (1.0, 1.0, 1.0)


def cube(start: int, side: int, shape=(20, 20, 20)) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask[start : start + side, 5 : 5 + side, 5 : 5 + side] = True
    return mask


def test_perfect_prediction():
    assert class_overlap(cube(4, 5), cube(4, 5), SPACING) == {"dice": 1.0, "surface_dice": 1.0, "hd95": 0.0}


def test_cube_shifted_by_one_voxel_of_three_millimetres():
    found = class_overlap(cube(5, 4), cube(4, 4), (3.0, 1.0, 1.0), tolerance=2.0)
    assert found["dice"] == 0.75
    assert found["hd95"] == 3.0
    # Each cube has 56 surface voxels. Of the prediction's, the near face (16) and two rings (12 + 12) lie on the
    # label's surface or 1 mm beside it, the far face (16) is 3 mm away; and so in the other direction.
    assert found["surface_dice"] == pytest.approx(40 / 56)
    assert class_overlap(cube(5, 4), cube(4, 4), (3.0, 1.0, 1.0), tolerance=3.0)["surface_dice"] == 1.0


def test_surface_dice_of_plates_by_hand():
    prediction, label = np.zeros((2, 6, 6, 12), dtype=bool)
    label[:, :, 2] = True  # one layer: all 36 voxels are surface
    prediction[:, :, 5] = prediction[:, :3, 2] = True  # half of the right plate, and one 3 mm off
    found = class_overlap(prediction, label, SPACING, tolerance=1.0)
    # prediction: 18 of 54 at distance 0; label: 18 at 0, and the row next to those at 1.
    assert found["surface_dice"] == pytest.approx((18 + 18 + 6) / (54 + 36))


@pytest.mark.parametrize(
    ("prediction", "label", "dice", "surface"),
    [
        (np.zeros((4, 4, 4), bool), np.zeros((4, 4, 4), bool), math.nan, math.nan),
        (np.ones((4, 4, 4), bool), np.zeros((4, 4, 4), bool), 0.0, 0.0),
        (np.zeros((4, 4, 4), bool), np.ones((4, 4, 4), bool), 0.0, 0.0),
    ],
    ids=["absent in both", "invented", "missed"],
)
def test_missing_classes(prediction, label, dice, surface):
    found = class_overlap(prediction, label, SPACING)
    np.testing.assert_equal(found, {"dice": dice, "surface_dice": surface, "hd95": math.nan})


def test_box_changes_nothing():
    """The same masks alone in a small array and far apart in a large one with other classes around them."""
    random = np.random.default_rng(0)
    small = random.integers(0, 3, (2, 7, 8, 9))
    large = np.zeros((2, 40, 50, 30), dtype=np.int16)
    large[:, 11:18, 30:38, 2:11] = small
    large[:, 30:, :5, 20:] = 7
    spacing = (0.7, 0.8, 2.0)
    found = case_overlap(large[0], large[1], {"one": [1], "two": [2], "seven": [7]}, spacing)
    for name, value in (("one", 1), ("two", 2)):
        direct = class_overlap(large[0] == value, large[1] == value, spacing)
        assert {key: found[name][key] for key in direct} == pytest.approx(direct)
        assert found[name]["label_ml"] == pytest.approx((small[1] == value).sum() * 0.7 * 0.8 * 2.0 / 1000)
    assert found["seven"]["dice"] == 1.0


def test_several_values_are_one_class():
    label, prediction = np.zeros((2, 6, 6, 6), dtype=np.uint8)
    label[1:3, 1, 1], label[4, 4, 4] = 2, 3
    prediction[1:3, 1, 1] = prediction[4, 4, 4] = 2  # a merged class is predicted with its first value
    found = case_overlap(prediction, label, {"kidneys": [2, 3], "liver": [6]}, SPACING)
    assert found["kidneys"]["dice"] == 1.0
    assert math.isnan(found["liver"]["dice"]) and found["liver"]["label_ml"] == 0.0


def test_numbered_keeps_unknown_values_out():
    volume = np.array([[[0, 5, 300, 2]]], dtype=np.int32)
    assert numbered(volume, {"a": [2], "b": [300]}).ravel().tolist() == [0, 0, 2, 1]
    assert numbered(np.zeros((1, 1, 2), np.uint8), {"a": [300]}).ravel().tolist() == [0, 0]


def test_large_organ_takes_seconds():
    """A liver-sized ball of 512 x 512 x 100 voxels; a distance transform of the volume takes far longer."""
    volume = np.zeros((512, 512, 100), dtype=np.uint8)
    axes = np.ogrid[:200, :200, :100]
    ball = sum(
        ((axis - centre) / radius) ** 2
        for axis, centre, radius in zip(axes, (100, 100, 50), (90, 90, 45), strict=True)
    )
    volume[150:350, 150:350] = ball < 1
    start = time.process_time()
    found = case_overlap(volume, np.roll(volume, 2, axis=0), {"liver": [1]}, (0.75, 0.75, 1.5))
    assert time.process_time() - start < 20
    assert found["liver"]["dice"] > 0.95
