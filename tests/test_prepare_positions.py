import numpy as np

from t3d.prepare.positions import PositionSampler, lesion_positions
from t3d.volume.index import CaseIndex, index_path, read_index


def label():
    volume = np.zeros((20, 30, 40), np.uint8)
    volume[2:5, 3:6, 1:4] = 3
    volume[5, 6, 4] = 3  # touches the first by a corner: one lesion
    volume[10:12, 20:22, 30:39] = 3
    volume[:, 0, :] = 7
    return volume


def sample(volume, *, most=4096, thick=8, seed=(0, 1)):
    sampler = PositionSampler(list(seed), most=most, boxed=[3])
    for start in range(0, volume.shape[2], thick):
        sampler.add(volume[:, :, start : start + thick], (0, 0, start))
    return sampler


def test_counts_and_positions_of_every_value():
    found, volume = sample(label()), label()
    assert found.counts == {0: int((volume == 0).sum()), 3: 27 + 1 + 36, 7: 800}
    for value in (3, 7):
        assert sorted(map(tuple, found.positions[value].tolist())) == sorted(
            map(tuple, np.argwhere(volume == value).tolist())
        )
    assert len(found.positions[0]) == 4096 and (volume[tuple(found.positions[0].T)] == 0).all()
    assert len(np.unique(found.positions[0], axis=0)) == 4096
    assert found.boxes[3].tolist() == [[2, 3, 1], [12, 22, 39]] and 7 not in found.boxes


def test_a_capped_sample_is_even_over_the_parts():
    volume = np.zeros((10, 10, 40), np.uint8)
    volume[:, :, :10] = 1
    volume[:, :, 10:40] = 2
    hits = np.zeros(40)
    for seed in range(40):
        found = sample(volume, most=60, thick=7, seed=(seed, 0))
        assert {value: len(rows) for value, rows in found.positions.items()} == {1: 60, 2: 60}
        hits += np.bincount(found.positions[2][:, 2], minlength=40)
    # 2,400 draws over 30 planes: 80 each, standard deviation 9
    assert hits[10:].min() > 45 and hits[10:].max() < 120 and not hits[:10].any()


def test_the_same_seed_gives_the_same_positions():
    first, again, other = (sample(label(), most=20, seed=seed) for seed in ((0, 1), (0, 1), (0, 2)))
    assert all(np.array_equal(first.positions[v], again.positions[v]) for v in first.positions)
    assert not np.array_equal(first.positions[0], other.positions[0])


def test_every_lesion_is_there():
    positions, lesion = lesion_positions(label(), np.array([[2, 3, 1], [12, 22, 39]]), 3, seed=[0])
    assert np.bincount(lesion).tolist() == [28, 36]
    assert (label()[tuple(positions.T)] == 3).all()


def test_the_index_comes_back_as_it_was(tmp_path):
    found = sample(label())
    rows = tuple(np.arange(side, dtype=np.float32) for side in (20, 30, 40))
    lesions = {3: lesion_positions(label(), found.boxes[3], 3, seed=[0])}
    index = CaseIndex(rows, found.positions, found.counts, lesions)
    index_path(tmp_path / "a.b2nd").write_bytes(index.to_bytes())
    back = read_index(tmp_path / "a.b2nd")
    assert back.counts == found.counts and all(np.array_equal(a, b) for a, b in zip(back.highest, rows, strict=True))
    assert all(np.array_equal(back.positions[v], found.positions[v]) for v in found.counts)
    assert all(np.array_equal(a, b) for a, b in zip(back.lesions[3], lesions[3], strict=True))
    assert back.to_bytes() == index.to_bytes()


def test_parts_without_any_label_count_as_background():
    """A small lesion in a large volume: most slabs that pass by hold none of it."""
    volume = np.zeros((6, 6, 40), np.uint8)
    volume[2, 3, 17] = 3
    found = sample(volume)
    assert found.counts == {0: volume.size - 1, 3: 1} and found.positions[3].tolist() == [[2, 3, 17]]
