import numpy as np

from t3d.infer.attention_maps import BLOCK, _coarse, attention_map, overlay


def test_map_by_plain_loops():
    random = np.random.default_rng(0)
    size, window = (44, 32, 40), (32, 32, 32)
    starts = np.array([[x, 0, z] for x in (0, 12) for z in (0, 8)])
    weights = random.random((4, 2))
    weights[3] = 0  # air
    found = attention_map(weights, starts, window, size)
    assert found.shape == (6, 4, 5, 2)
    total, count = np.zeros((*size, 2)), np.zeros(size)
    for (x, y, z), weight in zip(starts, weights, strict=True):
        total[x : x + 32, y : y + 32, z : z + 32] += weight
        count[x : x + 32, y : y + 32, z : z + 32] += 1
    for i, j, k in np.ndindex(6, 4, 5):
        block = tuple(slice(n * BLOCK, (n + 1) * BLOCK) for n in (i, j, k))
        expected = total[block].sum(axis=(0, 1, 2)) / count[block].sum() * 3
        assert np.allclose(found[i, j, k], expected)


def test_even_attention_is_one_everywhere():
    starts = np.array([[0, 0, 0], [24, 0, 0], [48, 0, 0]])
    found = attention_map(np.full((3, 1), 1 / 3), starts, (32, 32, 32), (80, 32, 32))
    assert np.allclose(found, 1.0)


def test_a_volume_smaller_than_the_window():
    found = attention_map(np.ones((1, 1)), np.zeros((1, 3), int), (32, 32, 32), (20, 32, 9))
    assert found.shape == (3, 4, 2, 1) and np.allclose(found, 1.0)


def test_blocks_lie_amid_their_voxels():
    first = _coarse() @ [0, 0, 0, 1]
    assert first.tolist() == [3.5, 3.5, 3.5, 1] and (_coarse() @ [1, 0, 0, 1])[0] == 11.5


def test_overlay_shows_the_slice_of_the_peak():
    values = np.ones((4, 4, 5))
    values[3, 0, 2] = 4
    titles = [axes.get_title() for axes in overlay(np.zeros((30, 32, 40)), values, title="x").axes[:3]]
    assert titles == ["coronal, slice 3", "sagittal, slice 26", "axial, slice 19"]
