"""Files with a few bytes changed or cut off: a result or one sentence, no trace, and no slice lost without a word."""

import gzip
import hashlib
import logging
import os

import nibabel as nib
import numpy as np
import pytest

pytest.importorskip("pydicom")
from dicom_writer import ct, write_series  # noqa: E402

from t3d.check.case import look_at_case  # noqa: E402
from t3d.errors import T3DError  # noqa: E402
from t3d.volume import in_words  # noqa: E402
from t3d.volume.load import LoadVolumed  # noqa: E402

# The first of them run in every test run; T3D_MUTATIONS=200 tries more.
COUNT = int(os.environ.get("T3D_MUTATIONS", "24"))
SHAPE = (12, 10, 6)


def mutated(content: bytes, rng, *, first: int, last: int) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.integers(1, 6)):
        changed[rng.integers(first, last)] = rng.integers(0, 256)
    return bytes(changed[: rng.integers(0, len(changed))] if rng.random() < 0.25 else changed)


def tried(path) -> tuple[int, ...] | None:
    """The shape of what was loaded, or None where it was refused; any other error fails the test."""
    look_at_case({"case_id": "k", "image": str(path)})
    try:
        return tuple(LoadVolumed()({"case_id": "k", "image": str(path)})["image"].shape[1:])
    except T3DError as error:
        assert str(error).startswith("case k: image ") and "\n" not in str(error)
        return None


@pytest.mark.parametrize("seed", range(COUNT))
def test_mutated_nifti_headers(tmp_path, seed):
    rng = np.random.default_rng(seed)
    path = tmp_path / ("a.nii.gz" if seed % 2 else "a.nii")
    nib.save(nib.Nifti1Image(ct(SHAPE).astype(np.int16), np.diag([-2.0, -2, 3, 1])), tmp_path / "plain.nii")
    content = mutated((tmp_path / "plain.nii").read_bytes(), rng, first=0, last=352)
    path.write_bytes(gzip.compress(content) if rng.random() < 0.5 else content)
    before = hashlib.sha256(path.read_bytes()).digest()
    tried(path)
    assert hashlib.sha256(path.read_bytes()).digest() == before


@pytest.mark.parametrize("seed", range(COUNT))
def test_mutated_dicom_series(tmp_path, seed, caplog, monkeypatch):
    monkeypatch.setattr(in_words, "_said", set())
    rng = np.random.default_rng(seed)
    write_series(tmp_path / "s", ct(SHAPE))
    file = sorted((tmp_path / "s").iterdir())[rng.integers(0, SHAPE[2])]
    content = file.read_bytes()
    file.write_bytes(mutated(content, rng, first=128, last=len(content) - 2 * SHAPE[0] * SHAPE[1]))
    with caplog.at_level(logging.WARNING, "t3d"):
        shape = tried(tmp_path / "s")
    said = [record for record in caplog.records if record.name.startswith("t3d.")]
    assert shape in (None, SHAPE) or said, f"{shape} of {SHAPE} in silence"
