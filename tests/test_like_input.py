import torch
from monai.data import MetaTensor

from t3d.transforms.like_input import LikeInputd


def item(**more):
    affine = torch.diag(torch.tensor([3.0, 3.0, 4.0, 1.0], dtype=torch.float64))
    image = MetaTensor(torch.zeros(1, 2, 2, 2), affine=torch.eye(4), meta={"original_affine": affine})
    image.meta["filename_or_obj"] = "folder/scan.nii"
    return {"image": image, "pred": MetaTensor(torch.ones(1, 2, 2, 2), affine=2 * torch.eye(4)), **more}


def test_a_result_lies_where_the_file_lay_and_is_named_after_the_case():
    found = LikeInputd(("pred", "prob"))(item(case_id="a.1"))
    assert torch.equal(found["pred"].affine, torch.diag(torch.tensor([3.0, 3.0, 4.0, 1.0], dtype=torch.float64)))
    assert found["pred"].meta["filename_or_obj"] == "a.1.nii.gz"
    assert "prob" not in found and torch.equal(found["image"].affine, torch.eye(4, dtype=torch.float64))


def test_without_a_case_it_is_named_after_the_file():
    assert LikeInputd("pred")(item())["pred"].meta["filename_or_obj"] == "folder/scan.nii"
