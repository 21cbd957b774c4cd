import pytest

from t3d.errors import T3DError
from t3d.flag import flag


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (True, True),
        (False, False),
        ("true", True),
        ("false", False),
        ("False", False),
        ("no", False),
        (1, True),
        (0, False),
    ],
)
def test_words_for_yes_and_no(typed, meant):
    assert flag("x", typed) is meant


@pytest.mark.parametrize("typed", ["", "perhaps", 2, None, [True]])
def test_anything_else_is_refused(typed):
    with pytest.raises(T3DError, match="--x is .*; give True or False"):
        flag("x", typed)
