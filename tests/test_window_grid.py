import numpy as np
import pytest

from t3d.errors import T3DError
from t3d.networks.window_grid import window_sides, window_starts


def test_windows_of_one_axis_by_hand():
    # room 68 = 100 - 32, steps of at most 24: three steps, evenly spaced
    starts = window_starts((100, 32, 20), (32, 32, 32), overlap=0.25)
    assert starts.tolist() == [[0, 0, 0], [23, 0, 0], [45, 0, 0], [68, 0, 0]]


@pytest.mark.parametrize("overlap", [0, 0.25, 0.5])
@pytest.mark.parametrize("size", [(32, 33, 64), (70, 95, 129), (5, 40, 200)])
def test_every_voxel_is_covered_with_the_overlap(size, overlap):
    window = (32, 64, 32)
    starts = window_starts(size, window, overlap=overlap)
    covered = np.zeros(size, bool)
    for x, y, z in starts:
        covered[x : x + window[0], y : y + window[1], z : z + window[2]] = True
    assert covered.all()
    for axis in range(3):
        places = np.unique(starts[:, axis])
        assert (np.diff(places) <= np.ceil(window[axis] * (1 - overlap))).all()
        assert places[-1] + window[axis] <= max(size[axis], window[axis])


def test_impossible_settings_are_named():
    assert window_sides(64) == (64, 64, 64) and window_sides([32, 64, 96]) == (32, 64, 96)
    for wrong in (40, 0, [32, 32], [32, 32, 33]):
        with pytest.raises(T3DError, match="divisible by 32"):
            window_sides(wrong)
    with pytest.raises(T3DError, match="overlap 1"):
        window_starts((64, 64, 64), (32, 32, 32), overlap=1)
