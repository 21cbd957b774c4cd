import numpy as np
import pytest

from t3d.metrics.lesions import match_lesions

SPACING = (1.0, 2.0, 0.5)  # a voxel is 1 mm3


def empty() -> np.ndarray:
    return np.zeros((12, 12, 12), dtype=bool)


def test_found_missed_and_false():
    label, prediction = empty(), empty()
    label[1:3, 1:3, 1:3] = True  # 8 mm3, touched by one voxel
    label[8:10, 8, 8] = True  # 2 mm3, missed
    prediction[2, 2, 2:4] = True
    prediction[6:9, 1, 1] = True  # 3 mm3, nothing there
    assert match_lesions(prediction, label, SPACING) == {
        "lesions": [{"mm3": 8.0, "detected": True}, {"mm3": 2.0, "detected": False}],
        "left_out": 0,
        "false_positives": [3.0],
    }


def test_nothing_anywhere():
    assert match_lesions(empty(), empty(), SPACING) == {"lesions": [], "left_out": 0, "false_positives": []}


def test_corner_neighbours_are_one_lesion():
    label = empty()
    label[1, 1, 1] = label[2, 2, 2] = True
    assert len(match_lesions(label, label, SPACING)["lesions"]) == 1
    label = empty()
    label[1, 1, 1] = label[3, 3, 3] = True
    assert len(match_lesions(label, label, SPACING)["lesions"]) == 2


def test_touching_from_outside_is_no_detection():
    label, prediction = empty(), empty()
    label[4:6, 4, 4], prediction[6:8, 4, 4] = True, True
    found = match_lesions(prediction, label, SPACING)
    assert not found["lesions"][0]["detected"] and found["false_positives"] == [2.0]


def test_one_component_finds_two_lesions():
    label, prediction = empty(), empty()
    label[1, 5, 5] = label[9, 5, 5] = True
    prediction[1:10, 5, 5] = True
    found = match_lesions(prediction, label, SPACING)
    assert [lesion["detected"] for lesion in found["lesions"]] == [True, True]
    assert found["false_positives"] == []


def test_iou_counts_all_components_that_touch():
    label, prediction = empty(), empty()
    label[0:8, 5, 5] = True
    prediction[0:3, 5, 5] = prediction[5:10, 5, 5] = True  # 6 voxels shared, union 8 + 8 - 6 = 10
    assert match_lesions(prediction, label, SPACING, min_iou=0.6)["lesions"][0]["detected"]
    missed = match_lesions(prediction, label, SPACING, min_iou=0.61)
    assert not missed["lesions"][0]["detected"]
    assert sorted(missed["false_positives"]) == [3.0, 5.0]


def test_small_ones_are_neither_missed_nor_false():
    label, prediction = empty(), empty()
    label[1, 1, 1] = True  # 1 mm3, left out, and the component over it is not false
    label[5:9, 5, 5] = True  # 4 mm3, found by a speck of 1 mm3
    prediction[1, 1, 1:4] = prediction[6, 5, 5] = True
    prediction[10, 10, 10] = True  # a speck of 1 mm3 on nothing
    found = match_lesions(prediction, label, SPACING, min_mm3=2.0)
    assert found == {"lesions": [{"mm3": 4.0, "detected": True}], "left_out": 1, "false_positives": []}
    assert match_lesions(prediction, label, SPACING, min_mm3=1.0)["false_positives"] == [1.0]


@pytest.mark.parametrize("seed", [0, 1])
def test_counts_agree_with_flood_fill(seed):
    random = np.random.default_rng(seed)
    label, prediction = random.random((2, 12, 12, 12)) < 0.02
    found = match_lesions(prediction, label, SPACING)
    lesions = flood(label)
    assert len(found["lesions"]) == len(lesions)
    assert sum(lesion["detected"] for lesion in found["lesions"]) == sum(
        any(prediction[voxel] for voxel in lesion) for lesion in lesions
    )
    assert len(found["false_positives"]) == sum(
        not any(label[voxel] for voxel in component) for component in flood(prediction)
    )


def flood(mask: np.ndarray) -> list[list[tuple]]:
    left = {tuple(place) for place in np.argwhere(mask).tolist()}
    groups = []
    while left:
        group, queue = [], [left.pop()]
        while queue:
            voxel = queue.pop()
            group.append(voxel)
            near = [other for other in left if max(abs(a - b) for a, b in zip(voxel, other, strict=True)) == 1]
            left.difference_update(near)
            queue += near
        groups.append(group)
    return groups
