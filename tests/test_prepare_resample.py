import tracemalloc

import nibabel as nib
import numpy as np
import pytest
from monai.transforms import Compose, LoadImaged, Orientationd, Spacingd
from scipy.spatial.transform import Rotation

from t3d.errors import T3DError
from t3d.prepare.resample import resampled
from t3d.prepare.source import open_source
from t3d.volume.grid import prepared_grid

SHAPE = (21, 18, 37)
ROTATED = Rotation.from_euler("xyz", [8, -12, 15], degrees=True).as_matrix()
AFFINES = {
    "plain": np.diag([1.5, 2.0, 3.0, 1]),
    "same spacing": np.diag([2.0, 2.5, 4.0, 1]),
    "left-handed": np.diag([-1.5, 2.0, 3.0, 1]),
    "all flipped": np.diag([-1.5, -2.0, -3.0, 1]),
    "axes in another order": np.array([[0, 0, -2.0, 5], [1.7, 0, 0, -9], [0, -3.1, 0, 4], [0, 0, 0, 1]]),
    "and up": np.array([[0, 1.3, 0, 5], [0, 0, 2.2, -9], [1.9, 0, 0, 4], [0, 0, 0, 1]]),
    "oblique": np.block([[ROTATED @ np.diag([1.5, 2.0, -3.0]), np.ones((3, 1))], [np.zeros((1, 3)), np.ones((1, 1))]]),
    "tilted gantry": np.array([[1.5, 0, 0, 0], [0, 2.0, 0.9, 3], [0, 0, 3.0, 1], [0, 0, 0, 1]]),
}


def volume(seed=0):
    return np.random.default_rng(seed).integers(-1000, 1000, SHAPE).astype(np.int16)


def save(path, array, affine):
    nib.save(nib.Nifti1Image(array, affine), path)
    return str(path)


def whole(path, spacing, *, nearest=False):
    source = open_source(path, "case a")
    grid = prepared_grid(source.shape, source.affine, spacing)
    out = np.full(grid.shape, np.nan)
    for along, first, part in resampled(source.blocks(), grid, nearest=nearest):
        place = [slice(None)] * 3
        place[along] = slice(first, first + part.shape[along])
        assert np.isnan(out[tuple(place)]).all()
        out[tuple(place)] = part
    return out, grid


@pytest.mark.parametrize("held", [2**22, 700])
@pytest.mark.parametrize("name", AFFINES)
def test_values_are_those_of_monai(name, held, tmp_path, monkeypatch):
    monkeypatch.setattr("t3d.prepare.source._HELD_VOXELS", held)
    spacing = (2.0, 2.5, 4.0)
    # labels in blocks, so that voxels halfway between two values are few
    label = np.kron(volume(1)[:3, :3, :7] % 5, np.ones((7, 6, 6)))[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    item = {
        "image": save(tmp_path / "a.nii.gz", volume(), AFFINES[name]),
        "label": save(tmp_path / "l.nii.gz", label.astype(np.uint8), AFFINES[name]),
    }
    plain = Compose(
        [
            LoadImaged(["image", "label"], ensure_channel_first=True),
            Orientationd(["image", "label"], axcodes="RAS"),
            Spacingd(["image", "label"], pixdim=spacing, mode=["bilinear", "nearest"]),
        ]
    )(item)
    ours, grid = whole(item["image"], spacing)
    assert ours.shape == plain["image"].shape[1:]
    assert np.abs(ours - plain["image"][0].numpy()).max() < 0.01
    assert np.allclose(grid.affine, plain["image"].affine, atol=1e-9)
    assert grid.straight == (name != "tilted gantry")
    labels, _ = whole(item["label"], spacing, nearest=True)
    differ = np.argwhere(labels != plain["label"][0].numpy())
    assert len(differ) < 0.02 * labels.size
    for x, y, z in differ:
        around = labels[max(0, x - 1) : x + 2, max(0, y - 1) : y + 2, max(0, z - 1) : z + 2]
        assert len(np.unique(around)) > 1


def test_a_spacing_that_differs_by_rounding_is_kept(tmp_path):
    path = save(tmp_path / "a.nii", volume(), np.diag([2.0004, 2.5, 4.0, 1]))
    ours, grid = whole(path, (2.0, 2.5, 4.0))
    assert np.array_equal(ours, volume()) and grid.shape == SHAPE


def test_memory_does_not_grow_with_the_length_of_a_volume(tmp_path, monkeypatch):
    monkeypatch.setattr("t3d.prepare.source._HELD_VOXELS", 64 * 64 * 4)
    peaks = []
    for slices in (64, 512):
        path = save(tmp_path / f"{slices}.nii", np.zeros((64, 64, slices), np.int16), np.diag([1, 1, 1.0, 1]))
        source = open_source(path, "case a")
        grid = prepared_grid(source.shape, source.affine, (1.5, 1.5, 1.5))
        tracemalloc.start()
        count = sum(part.shape[2] for _, _, part in resampled(source.blocks(), grid, nearest=False))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert count == grid.shape[2]
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-300]), "is damaged, truncated"),
        (lambda path: path.write_bytes(b""), "is damaged, truncated"),
        (lambda path: path.write_bytes(b"no volume"), "is damaged, truncated"),
        (lambda path: path.unlink(), "does not exist"),
        (lambda path: save(path, np.zeros((5, 6, 7, 2), np.int16), np.eye(4)), "has 4 axes"),
        (lambda path: save(path, np.zeros((5, 6), np.int16), np.eye(4)), "is 2D"),
    ],
)
def test_faulty_files_are_named(spoil, words, tmp_path):
    path = tmp_path / "a.nii.gz"
    save(path, volume(), np.eye(4))
    spoil(path)
    with pytest.raises(T3DError, match=f"case a.*{words}"):
        list(open_source(path, "case a").blocks())


def test_rescale_is_honoured(tmp_path):
    image = nib.Nifti1Image(volume(), np.eye(4))
    image.header.set_slope_inter(2.0, -1024.0)
    image.to_filename(tmp_path / "a.nii")
    image = nib.load(tmp_path / "a.nii")
    source = open_source(tmp_path / "a.nii", "case a")
    assert source.header["slope"] == image.dataobj.slope and source.header["intercept"] == image.dataobj.inter
    assert np.array_equal(np.concatenate([block for _, block in source.blocks()], axis=2), image.get_fdata())
