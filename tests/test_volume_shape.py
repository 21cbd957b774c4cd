import pytest

from t3d.volume.volume_shape import volume_shape_fault


@pytest.mark.parametrize("shape", [(5, 6, 7), (5, 6, 7, 1), (5, 6, 7, 1, 1)])
def test_one_volume_is_accepted(shape):
    assert volume_shape_fault(shape) is None


@pytest.mark.parametrize(
    ("shape", "words"),
    [((5, 6), "2D (5 x 6)"), ((5, 6, 1), "2D"), ((1, 6, 7), "2D"), ((5, 6, 7, 2), "4 axes (5 x 6 x 7 x 2)")],
)
def test_other_shapes_are_named(shape, words):
    assert words in volume_shape_fault(shape)
