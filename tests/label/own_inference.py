"""What the installed bundle's own inference.json says of studies, to compare the server with."""

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
from monai.bundle import ConfigWorkflow


def own_run(app: Path, name: str, images: list[Path], folder: Path) -> Path:
    """Run the installed bundle's inference.json on a few files; the folder of its results."""
    (folder / "data").mkdir(parents=True)
    for image in images:
        shutil.copy(image, folder / "data" / image.name)
    root = app / "model" / name
    workflow = ConfigWorkflow(
        config_file=str(root / "configs" / "inference.json"), workflow_type="inference", logging_file=False,
        bundle_root=str(root), dataset_dir=str(folder / "data"), output_dir=str(folder / "out"),
    )  # fmt: skip
    workflow.initialize()
    workflow.run()
    workflow.finalize()
    return folder / "out"


def own_label_map(app: Path, image: Path, folder: Path) -> nib.Nifti1Image:
    case = image.name.removesuffix(".nii.gz")
    return nib.load(own_run(app, "t3d_segmentation", [image], folder) / f"{case}_pred.nii.gz")


def own_scores(app: Path, image: Path, folder: Path) -> dict[str, float]:
    out = own_run(app, "t3d_classification", [image], folder)
    return json.loads((out / "predictions.json").read_text())["cases"][0]["scores"]


def served_label_map(answer: dict, folder: Path) -> nib.Nifti1Image:
    """The label map of an /infer answer."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "served.nii.gz").write_bytes(answer["image"])
    return nib.load(folder / "served.nii.gz")


def agreement(one: nib.Nifti1Image, other: nib.Nifti1Image) -> float:
    """Share of equal voxels of two label maps on one grid."""
    assert one.shape == other.shape
    assert np.allclose(one.affine, other.affine, atol=1e-3)
    return float((np.asanyarray(one.dataobj) == np.asanyarray(other.dataobj)).mean())
