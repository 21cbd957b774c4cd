import numpy as np
import pytest
import torch
from monai.metrics import compute_hausdorff_distance, compute_surface_dice

from t3d.metrics.surface import hd95, surface_dice, surface_distances


def blobs(seed: int, shape=(14, 12, 10)) -> np.ndarray:
    """Ragged masks that touch the border of the array."""
    random = np.random.default_rng(seed)
    centre = random.uniform(3, 8, 3)
    distance = np.linalg.norm(np.indices(shape).transpose(1, 2, 3, 0) - centre, axis=-1)
    return (distance < 4.5) ^ (random.random(shape) < 0.03)


def by_hand(first: np.ndarray, second: np.ndarray, spacing) -> list[float]:
    """Plain loops: surface voxels of the first mask to the nearest of the second."""

    def surface(mask):
        found = []
        for place in np.argwhere(mask):
            for axis in range(3):
                for step in (-1, 1):
                    other = place.copy()
                    other[axis] += step
                    inside = 0 <= other[axis] < mask.shape[axis] and mask[tuple(other)]
                    if not inside:
                        found.append(tuple(place))
        return sorted(set(found))

    targets = np.array(surface(second)) * spacing
    return [np.linalg.norm(targets - np.array(point) * spacing, axis=1).min() for point in surface(first)]


def test_two_single_voxels():
    first, second = np.zeros((2, 9, 9, 9), dtype=bool)
    first[1, 1, 1] = second[4, 1, 5] = True
    distances = surface_distances(first, second, (1.0, 1.0, 2.0))
    assert [d.tolist() for d in distances] == [[np.sqrt(9 + 64)], [np.sqrt(9 + 64)]]


def test_plain_loops_give_the_same_distances():
    first, second, spacing = blobs(0), blobs(1), np.array([0.7, 1.1, 2.5])
    found = surface_distances(first, second, spacing)
    np.testing.assert_allclose(found[0], by_hand(first, second, spacing))
    np.testing.assert_allclose(found[1], by_hand(second, first, spacing))


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.75, 0.75, 1.5), (3.0, 0.8, 0.8)])
@pytest.mark.parametrize("seed", [0, 3])
def test_measures_are_monais(seed, spacing):
    first, second = blobs(seed), blobs(seed + 1)
    batch = [torch.as_tensor(mask)[None, None].float() for mask in (first, second)]
    distances = surface_distances(first, second, spacing)
    for tolerance in (0.5, 1.0, 2.0):
        theirs = compute_surface_dice(*batch, class_thresholds=[tolerance], include_background=True, spacing=spacing)
        assert surface_dice(distances, tolerance) == pytest.approx(float(theirs), abs=1e-6)
    theirs = compute_hausdorff_distance(*batch, include_background=True, percentile=95, spacing=spacing)
    assert hd95(distances) == pytest.approx(float(theirs), abs=1e-5)


def test_hd95_takes_the_worse_direction_and_forgives_five_percent():
    near, far = np.zeros(100), np.zeros(100)
    far[:10] = 7.0
    assert hd95((near, far)) == hd95((far, near)) == 7.0
    far[:10] = 0.0
    far[:4] = 7.0
    assert hd95((near, far)) == 0.0


def test_tolerance_forgives_rounding():
    assert 11 * 0.1 - 9 * 0.1 > 0.2  # what rounding makes of two voxels of 0.1 mm
    first, second = np.zeros((2, 20, 3, 3), dtype=bool)
    first[11, 1, 1] = second[9, 1, 1] = True
    assert surface_dice(surface_distances(first, second, (0.1, 1.0, 1.0)), 0.2) == 1.0
