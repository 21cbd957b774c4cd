import numpy as np

from t3d.volume.voxel_histogram import VoxelHistogram


def test_counts_in_parts_are_those_of_the_whole():
    values = np.random.default_rng(0).normal(0, 900, 5000).astype(np.float32)
    values[:3] = np.nan, np.inf, 9000
    parts = VoxelHistogram()
    for part in np.array_split(values, 7):
        parts.add(part)
    finite = values[np.isfinite(values)]
    assert (parts.size, parts.not_finite) == (4998, 2)
    assert parts.low == finite.min() and parts.high == 9000
    rounded = np.rint(finite).clip(-5000, 5000)
    assert parts.levels() == len(np.unique(rounded))
    assert parts.share(-100, 200) == ((rounded >= -100) & (rounded <= 200)).mean()
    for percent in (1, 50, 99.9):
        assert parts.percentile(percent) == np.percentile(rounded, percent, method="inverted_cdf")


def test_integers_that_would_overflow():
    histogram = VoxelHistogram()
    histogram.add(np.array([0, 255, 200], np.uint8))
    histogram.add(np.array([-32768, 32767], np.int16))
    assert (histogram.low, histogram.high, histogram.share(200, 255)) == (-32768, 32767, 0.4)


def test_padding_is_a_lone_value_below_air():
    histogram = VoxelHistogram()
    histogram.add(np.r_[np.full(50, -2000), np.arange(-1000, 100)])
    rest = histogram.without_padding()
    assert (rest.size, rest.low, histogram.size) == (1100, -1000, 1150)
    assert rest.without_padding() is rest
    for values in (np.arange(-2100, 0), np.r_[-1000, 50, 60]):
        histogram = VoxelHistogram()
        histogram.add(values)
        assert histogram.without_padding() is histogram


def test_nothing_is_counted_without_voxels():
    empty = VoxelHistogram()
    empty.add(np.zeros((0, 3)))
    assert empty.size == 0 and empty.share(-5000, 5000) == 0 and np.isnan(empty.percentile(50))
