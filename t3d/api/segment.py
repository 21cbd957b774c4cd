"""``t3d.segment``: a label map of a CT, on the grid that the CT came in."""

from pathlib import Path

import nibabel as nib
import torch
from monai.inferers import SlidingWindowInferer
from monai.transforms import Compose
from monai.utils import ensure_tuple_rep

from t3d.api.ct import CT, as_nifti, open_ct
from t3d.api.model import Model, load
from t3d.bundle.grid_back import label_map


def segment(
    ct: CT,
    model: str | Path | Model,
    *,
    device: str | torch.device | None = None,
    overlap: float = 0.5,
    sw_batch_size: int = 4,
    blend_on_cpu: bool = False,
) -> nib.Nifti1Image:
    """Segment a CT, as ``inference.json`` of the segmentation bundle does.

    Args:
        ct: a path (NIfTI file or DICOM folder), a nibabel image, or a tuple of an array in HU and its affine.
        model: a segmentation: folder, bundle, zip, or what ``t3d.load`` gave (do that for many CTs). Which value means
            what stands in ``t3d.load(model).labels``.
        device: see ``t3d.load``.
        overlap: of neighbouring windows, 0 to below 1.
        sw_batch_size: windows at a time.
        blend_on_cpu: keep the whole volume's logits in main memory instead of the GPU's.

    Returns:
        uint8 or, where a value needs it, uint16, with the CT's shape and affine.

    Raises:
        T3DError: the CT or the model cannot be used.
    """
    model = load(model, device=device)
    model.must_be("segmentation", "t3d.segment")
    volume = open_ct(ct)
    affine = torch.as_tensor(volume.meta["original_affine"]).double().numpy()
    image = model.preprocessing({"image": volume})["image"]
    inferer = SlidingWindowInferer(
        roi_size=ensure_tuple_rep(model.crop_size, 3),
        sw_batch_size=sw_batch_size,
        overlap=overlap,
        mode="gaussian",
        sw_device=model.device,
        device="cpu" if blend_on_cpu else model.device,
    )
    with model.running():
        logits = inferer(image.unsqueeze(0).to("cpu" if blend_on_cpu else model.device), model.network)[0]
    back = Compose(label_map(preprocessing=model.preprocessing, labels=model.labels))
    found = back({"image": image, "pred": logits.cpu()})["pred"]
    return as_nifti(found.as_tensor()[0].numpy(), affine)
