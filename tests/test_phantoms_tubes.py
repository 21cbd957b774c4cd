import numpy as np
import pytest

from t3d.phantoms.grid import Grid
from t3d.phantoms.tubes import filled_share, smooth_path, tube_mask


@pytest.fixture
def grid():
    return Grid.covering(np.array([60.0, 60, 60]), np.zeros(3), (30, 30, 30), np.array([1.0, 1.25, 0.8]))


@pytest.mark.parametrize("radius", [0.3, 1.0, 4.0])
def test_share_sums_to_the_volume_of_the_tube(grid, radius):
    start, end = np.array([[-12.0, -5.0, -10.0]]), np.array([[10.0, 8.0, 12.0]])
    share = filled_share(grid, start, end, np.array([radius]))
    length = np.linalg.norm((end - start) * grid.frame)
    assert np.isclose(share.sum() * grid.spacing.prod(), np.pi * radius**2 * length, rtol=1e-4)


def test_what_leaves_the_grid_is_cut(grid):
    share = filled_share(grid, np.array([[0.0, 0, 0]]), np.array([[0.0, 0, 500]]), np.array([1.0]))
    assert np.isclose(share.sum() * grid.spacing.prod(), np.pi * 30, rtol=0.05)


def test_mask_is_the_plain_cylinder(grid):
    radius = 9.0
    mask = tube_mask(grid, (np.array([[0.0, 0, -80]]), np.array([[0.0, 0, 80]]), np.array([radius])))
    axes = [grid.first[k] + grid.spacing[k] * np.arange(30) for k in range(3)]
    x, y, _ = np.meshgrid(*axes, indexing="ij")
    plain = x**2 + y**2 < radius**2
    assert (mask != plain).mean() < 0.02 and mask.any()


def test_smooth_path_runs_through_its_knots():
    knots = np.array([[0.0, 0, 0], [10, 5, 0], [20, 0, 8], [30, -5, 0]])
    starts, ends, radii = smooth_path(knots, [1, 2, 3, 4], steps=200)
    assert np.allclose(starts[1:], ends[:-1]) and np.allclose(starts[0], knots[0])
    assert np.allclose(ends[-1], knots[-1])
    for knot in knots:
        assert np.linalg.norm(ends - knot, axis=1).min() < 0.3 or np.allclose(knot, starts[0])
    assert radii.min() > 1 and radii.max() < 4 and (np.diff(radii) > 0).all()
