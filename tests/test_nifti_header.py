import nibabel as nib
import numpy as np
import pytest
from monai.transforms import LoadImage

from t3d.volume.nifti_header import HeaderFault, header_doubts, header_faults

AFFINE = np.diag([-2.0, -2, 3, 1])


def saved(tmp_path, affine=AFFINE, shape=(6, 7, 8), change=None, name="k0.nii.gz"):
    image = nib.Nifti1Image(np.zeros(shape, np.int16), affine)
    if change:
        change(image)
    nib.save(image, tmp_path / name)
    return nib.load(tmp_path / name), tmp_path / name


@pytest.mark.parametrize("axes", ["LPS", "RAS", "PIR", "SLA"])
def test_any_orientation_passes(tmp_path, axes):
    turned = nib.orientations.inv_ornt_aff(nib.orientations.axcodes2ornt(axes), (6, 7, 8))
    image, path = saved(tmp_path, AFFINE @ turned)
    assert header_faults(image, path) == [] and header_doubts(image) == []


def test_oblique_axes_pass_and_sheared_ones_are_doubted(tmp_path):
    turn = np.eye(4)
    turn[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]
    image, path = saved(tmp_path, turn @ AFFINE)
    assert header_faults(image, path) == [] and header_doubts(image) == []
    shear = np.eye(4)
    shear[1, 2] = np.tan(np.radians(12))
    image, path = saved(tmp_path, shear @ AFFINE)
    assert header_faults(image, path) == []
    assert header_doubts(image)[0].startswith("has axes 12.0 degrees off a right angle")


def test_what_monai_would_turn_silently_is_a_fault(tmp_path):
    def stale(image):
        image.set_qform(np.diag([1.0, 1, 3, 1]), code=0)  # as writers leave it that set the sform alone
        image.header["pixdim"][1:4] = 1, 1, 3

    image, path = saved(tmp_path, change=stale)
    (fault,) = header_faults(image, path)
    assert "LPS, [2, 2, 3] mm" in fault.what and "qform (RAS)" in fault.what and fault.kind == "spacing"
    # the reader that all bundles use does just that
    read = LoadImage(image_only=True)(str(path))
    assert np.allclose(np.diag(read.affine.numpy()), [1, 1, 3, 1])
    assert "".join(nib.aff2axcodes(image.affine)) == "LPS"


def test_a_stale_pixdim_that_no_reader_believes_passes(tmp_path):
    def same_forms(image):
        image.set_qform(AFFINE, code=1)
        image.set_sform(AFFINE, code=1)

    image, path = saved(tmp_path, change=same_forms)
    assert header_faults(image, path) == [] and header_doubts(image) == []


def test_forms_that_differ_or_lack_are_doubted(tmp_path):
    image, path = saved(tmp_path, change=lambda i: i.set_qform(np.diag([2.0, 2, 3, 1]), code=1))
    assert "qform RAS and the sform LPS" in header_doubts(image)[0]
    image, path = saved(tmp_path, change=lambda i: (i.set_sform(None, code=0), i.set_qform(None, code=0)))
    assert "neither qform nor sform" in header_doubts(image)[0]


def test_claims_are_held_against_the_size_of_the_file(tmp_path):
    image, path = saved(tmp_path, name="k0.nii", shape=(64, 64, 64))
    assert header_faults(image, path) == []
    path.write_bytes(path.read_bytes()[:100_000])
    assert header_faults(image, path) == [
        HeaderFault("size", "claims 0.5 MiB of voxels, the file has 100000 bytes; copy or export it again")
    ]
    image, path = saved(tmp_path, shape=(64, 64, 64))  # zeros shrink a thousandfold
    assert header_faults(image, path) == []
