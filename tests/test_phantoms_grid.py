import numpy as np
import pytest

from t3d.phantoms.grid import Grid
from t3d.phantoms.tissues import Tissue


def cube(side, frame=(1.0, 1.0, 1.0)):
    return Grid.covering(np.array([100.0, 100, 100]), np.zeros(3), (side,) * 3, np.array(frame))


def test_shape_changes_the_spacing_only():
    coarse, fine = cube(25), cube(50)
    assert np.allclose(coarse.spacing, 4) and np.allclose(fine.spacing, 2)
    for grid in (coarse, fine):  # both reach from -50 to 50 mm, half a voxel beyond the outer centres
        assert np.isclose(grid.x.min() - grid.spacing[0] / 2, -50)
        assert np.isclose(grid.z.max() + grid.spacing[2] / 2, 50)


@pytest.mark.parametrize("turned", [False, True])
def test_an_ellipsoid_has_its_volume_on_a_stretched_frame(turned):
    frame = np.array([1.2, 0.9, 1.0])
    grid = cube(80, frame)
    angle = 0.6
    rotation = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    box, inside = grid.ellipsoid((3, -2, 5), (20, 12, 15), rotation if turned else None)
    volume = (inside < 1).sum() * grid.spacing.prod()
    assert np.isclose(volume, 4 / 3 * np.pi * 20 * 12 * 15 * frame.prod(), rtol=0.01)
    x, y, z = grid.axes(box)
    assert inside.shape == np.broadcast_shapes(x.shape, y.shape, z.shape)
    full = grid.ellipsoid((3, -2, 5), (20, 12, 15), rotation if turned else None, reach=9)[1]
    assert (full < 1).sum() == (inside < 1).sum(), "the box cuts nothing off"


def test_paint_changes_only_the_tissues_it_may():
    grid = cube(10)
    everywhere = (slice(None),) * 3
    grid.paint(everywhere, np.broadcast_to(grid.x < 0, grid.tissue.shape), Tissue.FAT)
    assert (grid.tissue == Tissue.FAT).sum() == 500
    grid.paint(everywhere, np.ones((10, 10, 10), bool), Tissue.LIVER, over=(Tissue.FAT,))
    assert (grid.tissue == Tissue.LIVER).sum() == 500 and (grid.tissue == Tissue.AIR).sum() == 500
