import gzip

import nibabel as nib
import numpy as np
import pytest

from t3d.phantoms.nifti import nifti_bytes, oriented
from t3d.phantoms.plan import ORIENTATIONS


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_every_orientation_shows_the_same_patient_in_the_same_place(codes):
    volume = np.random.default_rng(0).integers(-1000, 1000, (4, 5, 6)).astype(np.int16)
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    affine[:3, 3] = -7, 8, 9
    stored, turned = oriented(volume, affine, codes)
    assert "".join(nib.aff2axcodes(turned)) == codes
    image = nib.Nifti1Image.from_bytes(gzip.decompress(nifti_bytes(stored, turned)))
    back = nib.as_closest_canonical(image)
    assert np.array_equal(np.asarray(back.dataobj), volume)
    assert np.allclose(back.affine, affine, atol=1e-5)


def test_bytes_do_not_change_with_the_clock(monkeypatch):
    volume, affine = np.zeros((3, 3, 3), np.uint8), np.eye(4)
    first = nifti_bytes(volume, affine)
    monkeypatch.setattr("time.time", lambda: 2e9)
    assert nifti_bytes(volume, affine) == first
    assert first[4:8] == bytes(4), "the gzip header's time"
