import numpy as np
import pytest

from t3d.triple import triple


def test_three_values_of_any_iterable():
    assert triple(np.array([1, 2, 3]).tolist()) == (1, 2, 3)
    assert triple(side * 2 for side in (1, 2, 3)) == (2, 4, 6)


@pytest.mark.parametrize("values", [(1, 2), (1, 2, 3, 4)])
def test_fewer_or_more_are_refused(values):
    with pytest.raises(ValueError):
        triple(values)
