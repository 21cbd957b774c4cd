import nibabel as nib
import numpy as np
import pytest

from t3d.volume.same_voxels import grid_fault, place_on

SHAPE = (12, 14, 10)
LPS = np.array([[-2.0, 0, 0, 30], [0, -2, 0, 40], [0, 0, 3, -20], [0, 0, 0, 1]])


def turned(codes, voxels=None):
    image = nib.Nifti1Image(np.zeros(SHAPE, np.uint8) if voxels is None else voxels, LPS)
    turn = nib.orientations.ornt_transform(nib.io_orientation(LPS), nib.orientations.axcodes2ornt(codes))
    return image.as_reoriented(turn)


@pytest.mark.parametrize("codes", ["LPS", "RAS", "PSR", "LAS", "SAR", "IPL"])
def test_every_orientation_of_the_same_voxels_is_turned_back(codes):
    voxels = np.random.default_rng(0).integers(0, 200, SHAPE).astype(np.uint8)
    label = turned(codes, voxels)
    placed = place_on(SHAPE, LPS, label.shape, label.affine)
    assert placed.same and placed.turned == (codes != "LPS") and placed.shape == SHAPE
    np.testing.assert_array_equal(nib.orientations.apply_orientation(np.asarray(label.dataobj), placed.turn), voxels)


def test_tolerance_is_a_twentieth_of_a_voxel():
    for shift, same in (([0.09, 0, 0], True), ([0.11, 0, 0], False), ([0, 0, 0.14], True), ([0, 0, 0.16], False)):
        affine = LPS.copy()
        affine[:3, 3] += shift
        assert place_on(SHAPE, LPS, SHAPE, affine).same == same, shift
        assert (grid_fault(SHAPE, LPS, SHAPE, affine) is None) == same


def test_a_small_difference_of_spacing_counts_at_the_far_corner():
    nearly = np.diag([2.0 + 1e-4, 2, 3, 1])
    grids = np.diag([2.0, 2, 3, 1]), nearly
    assert place_on((500,) * 3, grids[0], (500,) * 3, grids[1]).same  # 0.05 mm, a fortieth of a voxel
    assert not place_on((2000, 9, 9), grids[0], (2000, 9, 9), grids[1]).same


def test_mirrored_labels_get_no_advice_to_copy_the_header():
    mirrored = LPS @ np.diag([-1.0, 1, 1, 1])
    fault = grid_fault(SHAPE, LPS, SHAPE, mirrored)
    assert "label RPS, image LPS" in fault and "copy" not in fault
    moved = LPS.copy()
    moved[0, 3] += 5
    assert "5.00 mm" in grid_fault(SHAPE, LPS, SHAPE, moved) and "copy the image's header" in grid_fault(
        SHAPE, LPS, SHAPE, moved
    )


def test_other_shapes_and_affines_without_direction():
    label = turned("PSR")
    assert grid_fault(SHAPE, LPS, (14, 10, 11), label.affine).startswith("label has shape (11, 14, 10), image has")
    assert grid_fault(SHAPE, LPS, SHAPE, np.diag([0.0, 0, 0, 1])) is not None


def test_an_oblique_grid_at_45_degrees_needs_no_turn():
    angle = np.radians(45)
    affine = np.eye(4)
    affine[:2, :2] = 2 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    other = affine.copy()
    other[0, 1] += 1e-3
    placed = place_on((9, 9, 9), affine, (9, 9, 9), other)
    assert placed.same and not placed.turned
