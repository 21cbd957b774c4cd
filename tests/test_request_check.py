import sys
import types

import nibabel as nib
import numpy as np
import pytest
import torch
from torch import nn

from t3d.errors import T3DError
from t3d.monai_label.request_check import CheckRequest, check_study, check_weights


@pytest.fixture
def network():
    return nn.Linear(3, 2)


@pytest.fixture
def request_of(tmp_path):
    """A request of MONAI Label for a good study."""
    values = np.random.default_rng(0).integers(-1000, 900, (32, 32, 32)).astype(np.int16)
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "study.nii.gz")
    path = str(tmp_path / "study.nii.gz")
    return {"model": "m", "image": path, "image_path": path}


def test_a_good_request_passes_unchanged_and_own_items_are_not_looked_at(network, request_of, tmp_path):
    torch.save(network.state_dict(), tmp_path / "model.pt")
    check = CheckRequest(weights=str(tmp_path / "model.pt"), network=network)
    assert check(request_of) is request_of
    own = {"case_id": "a", "image": "absent.nii.gz"}
    assert CheckRequest(weights="absent.pt", network=network)(own) is own


def test_the_file_a_client_chose_is_the_one_checked(network, request_of, tmp_path):
    torch.save(network.state_dict(), tmp_path / "model.pt")
    torch.save({"model": network.state_dict()}, tmp_path / "model_last.pt")
    torch.save(nn.Linear(4, 2).state_dict(), tmp_path / "other.pt")
    check = CheckRequest(weights=str(tmp_path / "model.pt"), network=network)
    for chosen in (["model_last.pt"], "model_last.pt", ["gone.pt"], []):
        check({**request_of, "model_filename": chosen})
    with pytest.raises(T3DError, match=r"other.pt is of another network .*weight \(2, 4\) in the file"):
        check({**request_of, "model_filename": ["other.pt"]})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "does not exist"),
        (b"no weights", "cannot be read"),
        ({"state_dict": nn.Linear(3, 2).state_dict()}, "2 missing"),
        (
            {"module." + name: value for name, value in nn.Linear(3, 2).state_dict().items()},
            "2 missing .* 2 unexpected",
        ),
        ([1], "2 missing"),
    ],
)
def test_weights_a_server_would_not_load_are_refused(content, words, network, tmp_path):
    path = tmp_path / "model.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(T3DError, match=words) as caught:
        check_weights(path, network.state_dict())
    assert str(path) in str(caught.value) and "copy model.pt and model.json" in str(caught.value)


def test_a_study_that_would_fail_later_is_named(request_of, tmp_path):
    check_study(request_of["image"])
    whole = (tmp_path / "study.nii.gz").read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(whole[: len(whole) * 3 // 4])
    holed = np.full((4, 4, 4), np.nan, np.float32)
    nib.save(nib.Nifti1Image(holed, np.eye(4)), tmp_path / "holed.nii.gz")
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4, 2), np.int16), np.eye(4)), tmp_path / "many.nii.gz")
    for case, words in {
        "cut": "truncated",
        "holed": "NaN",
        "many": "4 axes",
        "gone": "not exist",
    }.items():
        with pytest.raises(T3DError, match=words) as caught:
            check_study(str(tmp_path / f"{case}.nii.gz"))
        assert f"case {case}: " in str(caught.value)


def test_inside_a_server_the_client_gets_the_sentence(network, request_of, tmp_path, monkeypatch):
    class HTTPException(Exception):
        def __init__(self, status_code, detail):
            self.status_code, self.detail = status_code, detail

    monkeypatch.setitem(sys.modules, "monailabel.app", types.ModuleType("monailabel.app"))
    monkeypatch.setitem(sys.modules, "fastapi", types.SimpleNamespace(HTTPException=HTTPException))
    check = CheckRequest(weights=str(tmp_path / "model.pt"), network=network)
    with pytest.raises(HTTPException) as caught:
        check(request_of)
    assert caught.value.status_code == 500 and "model.pt does not exist" in caught.value.detail
    torch.save(network.state_dict(), tmp_path / "model.pt")
    with pytest.raises(HTTPException) as caught:
        check({**request_of, "image": str(tmp_path / "gone.nii.gz")})
    assert caught.value.status_code == 422 and "case gone" in caught.value.detail
