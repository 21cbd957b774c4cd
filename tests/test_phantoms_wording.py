import numpy as np

from t3d.phantoms.wording import capital, centimetres, length, listed


def test_lengths_are_written_in_mm_or_cm_and_mean_the_same():
    rng = np.random.default_rng(0)
    assert {length(rng, 14.2) for _ in range(40)} == {"14 mm", "1.4 cm"}
    assert {length(rng, 8.0) for _ in range(40)} == {"8 mm"}, "nobody writes 0.8 cm of a small lesion here"
    assert centimetres(171.9) == "17.2 cm"


def test_lists_read_as_english():
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert capital("left lower lobe") == "Left lower lobe"
