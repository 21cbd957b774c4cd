"""Write a phantom cohort: images, labels, datalist."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from t3d.atomic import write_atomically
from t3d.errors import T3DError
from t3d.files import read_json
from t3d.phantoms.folder import RECORD, as_json, check_folder
from t3d.phantoms.intensity import render
from t3d.phantoms.montage import montage_png
from t3d.phantoms.nifti import nifti_bytes, oriented
from t3d.phantoms.plan import Case, plan_case, split_by_patient
from t3d.phantoms.study import FINDINGS
from t3d.phantoms.tissues import LABELS
from t3d.phantoms.workers import each
from t3d.triple import triple

logger = logging.getLogger(__name__)

GENERATOR = 1  # raise when the same settings would give other bytes
SMALLEST_SIDE = 32
PROMPTS = Path(__file__).parent / "prompts.json"


def phantoms(
    out_dir: str | Path,
    *,
    cases: int = 12,
    seed: int = 0,
    shape: int | str | Sequence[int] = (128, 128, 128),
    noise: float | None = None,
    montage: bool = True,
    workers: int = 1,
    wordings: int = 1,
    findings: Sequence[str] | str | None = None,
) -> Path:
    """Write a synthetic torso CT cohort with labels, findings and reports; same arguments, same bytes.

    The folder gets `images/CASE.nii.gz` (int16 HU), `labels/CASE.nii.gz` (uint8), `labels.json`
    (name -> value), `findings.json` (every lesion with size and place), `prompts.json` (for zero-shot, worded as the
    cohort's impressions), `montage.png`, `phantoms.json` (the settings) and, last, `datalist.json`. A run
    that was stopped is continued by the same call. The generator is ours.

    Args:
        out_dir: folder to write; new, empty, or holding this very cohort.
        cases: number of volumes, at least 1.
        seed: key of everything random, 0 or more; case i depends on the seed and i only.
        shape: voxels along the patient's x, y and z axes, one number, three, or text such as "64,64,64"; the
            field of view stays the same, so the shape sets the spacing (stored axes may be permuted).
        noise: standard deviation of the noise in HU; None draws 15-25 per case.
        montage: also write a picture of some cases.
        workers: processes side by side; the bytes do not depend on them.
        wordings: of each report; with 2 or more a case has the entry `reports`, of which pre-training shows one at
            a time, and `report` is the first of them.
        findings: that patients may have, and that the datalist tells of; None is all of them.

    Returns:
        Path of the datalist.

    Raises:
        T3DError: an argument out of range, or a folder that holds something else.
    """
    cases, seed, sides = _whole("cases", cases, least=1), _whole("seed", seed, least=0), _read_shape(shape)
    if noise is not None and not (isinstance(noise, int | float) and 0 <= noise <= 500):
        raise T3DError(f"noise is {noise!r}; give a standard deviation between 0 and 500 HU.")
    folder = Path(out_dir)
    wordings = _whole("wordings", wordings, least=1)
    names = _findings(findings)
    planned = [plan_case(seed, index, noise=noise, wordings=wordings, findings=names) for index in range(cases)]
    settings = {"generator": GENERATOR, "cases": cases, "seed": seed, "shape": list(sides), "noise": noise}
    settings |= {"wordings": wordings} if wordings > 1 else {}
    settings |= {"findings": names} if names != list(FINDINGS) else {}
    record = as_json(settings)
    datalist = as_json(
        {split: [_item(case, names) for case in part] for split, part in split_by_patient(planned, seed).items()}
    )
    check_folder(folder, record, datalist)
    write_atomically({folder / RECORD: record})
    calls = ((folder, case, sides) for case in planned)
    for number, _ in enumerate(each(_write_case, calls, workers=_whole("workers", workers, least=1)), 1):
        if number % 50 == 0:
            logger.info("%d of %d phantoms written", number, cases)
    files = {
        "labels.json": as_json(LABELS),
        "findings.json": as_json(_truth(planned, names)),
        "prompts.json": as_json(_prompts(names)),
    }
    if montage:
        files["montage.png"] = montage_png(folder, planned)
    files["datalist.json"] = datalist
    write_atomically({folder / name: content for name, content in files.items()})
    logger.info("%d phantoms in %s", cases, folder)
    return folder / "datalist.json"


def _item(case: Case, findings: Sequence[str]) -> dict:
    return {
        "case_id": case.case_id,
        "patient_id": case.patient_id,
        "image": f"images/{case.case_id}.nii.gz",
        "report": case.report,
        **({"reports": list(case.reports)} if case.reports else {}),
        "label": f"labels/{case.case_id}.nii.gz",
        "findings": {name: case.study.findings[name] for name in findings},
    }


def _truth(planned: list[Case], findings: Sequence[str]) -> dict:
    """What `findings.json` says: the names, and per case each lesion without its coordinates."""
    return {
        "names": list(findings),
        "cases": {
            case.case_id: [
                {
                    "finding": one.finding,
                    "size_mm": round(one.size_mm, 1),
                    "side": one.side,
                    "place": one.place,
                }
                for one in case.study.lesions
            ]
            for case in planned
        },
    }


def _prompts(findings: Sequence[str]) -> dict:
    """What `prompts.json` says, see ``t3d.reports.prompts.read_prompts``."""
    content = read_json(PROMPTS, what="prompts of phantoms", remedy="install t3d again")
    return {**content, "findings": {name: content["findings"][name] for name in findings}}


def _write_case(folder: Path, case: Case, shape: tuple[int, int, int]) -> None:
    """Render and write one case, unless both its files are there (they are only ever written whole)."""
    targets = folder / "images" / f"{case.case_id}.nii.gz", folder / "labels" / f"{case.case_id}.nii.gz"
    if all(target.exists() for target in targets):
        return
    rng = np.random.default_rng([*case.image_seed, 9])
    image, labels, spacing, first = render(case.study, shape, rng, noise_sd=case.noise_sd)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = first + case.origin
    data = [nifti_bytes(*oriented(volume, affine, case.orientation)) for volume in (image, labels)]
    write_atomically(dict(zip(targets, data, strict=True)))


def _whole(name: str, value: object, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise T3DError(f"{name} is {value!r}; give a whole number of at least {least}.")
    return int(value)


def _findings(given: Sequence[str] | str | None) -> list[str]:
    """The wanted findings in the order of ``FINDINGS``."""
    named = given.strip("()[] ").split(",") if isinstance(given, str) else given
    wanted = FINDINGS if named is None else [str(name).strip() for name in named]
    unknown = [name for name in wanted if name not in FINDINGS]
    if unknown or not wanted:
        raise T3DError(f"findings is {given!r}; name some of {', '.join(FINDINGS)}.")
    return [name for name in FINDINGS if name in wanted]


def _read_shape(shape: int | str | Sequence[int]) -> tuple[int, int, int]:
    given: Any = shape.strip("()[] ").split(",") if isinstance(shape, str) else shape
    parts = list(given) if isinstance(given, list | tuple) else [given]
    whole = [str(part).strip() for part in parts]
    sides = [int(part) for part in whole if part.isdecimal()]
    if len(sides) == len(whole) == 1:
        sides = sides * 3
    if len(sides) != 3 or len(whole) not in (1, 3) or min(sides) < SMALLEST_SIDE:
        raise T3DError(
            f"shape is {shape!r}; give one or three whole numbers of at least {SMALLEST_SIDE}, such as 64,64,64."
        )
    return triple(sides)
