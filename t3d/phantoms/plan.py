"""Patients, cases and splits of a cohort, before anything is rendered."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from t3d.phantoms.anatomy import draw_anatomy
from t3d.phantoms.findings import draw_lesions
from t3d.phantoms.report_text import write_report
from t3d.phantoms.study import FINDINGS, Study

RETURNING = 0.3  # share of pairs of cases that are two visits of one patient
CONTRAST_SHARE = 0.6
ORIENTATIONS = ("RAS", "LPS", "LAS", "SLA", "PIR")
ORIENTATION_SHARES = (0.35, 0.3, 0.15, 0.1, 0.1)
NOISE_RANGE = (15.0, 25.0)
_PAIR, _PATIENT, _CHRONIC, _CASE, _ACUTE, _REPORT, _SPLIT = range(7)


@dataclass(frozen=True)
class Case:
    """One planned case.

    Attributes:
        case_id, patient_id: names without meaning.
        study: anatomy and lesions.
        report: the text.
        reports: with several wordings all of them, ``report`` the first; else empty.
        orientation: axis codes of the stored volume.
        origin: (3,) shift of the scanner's coordinates in mm.
        noise_sd: noise in HU.
        image_seed: key of texture and noise.
    """

    case_id: str
    patient_id: str
    study: Study
    report: str
    orientation: str
    origin: np.ndarray
    noise_sd: float
    image_seed: tuple[int, int]
    reports: tuple[str, ...] = ()


def plan_case(
    seed: int,
    index: int,
    *,
    noise: float | None = None,
    wordings: int = 1,
    findings: Collection[str] = FINDINGS,
) -> Case:
    """Case number `index` of the cohort of a seed; it does not depend on how many cases there are.

    Cases 2k and 2k + 1 may be two visits of one patient: same anatomy and chronic disease, other acute
    disease, contrast, orientation and noise.
    """
    first = index - index % 2
    returning = np.random.default_rng([seed, _PAIR, first]).uniform() < RETURNING
    patient = first if returning else index
    anatomy = draw_anatomy(np.random.default_rng([seed, _PATIENT, patient]))
    acute = np.random.default_rng([seed, _ACUTE, index])
    anatomy, lesions = draw_lesions(anatomy, np.random.default_rng([seed, _CHRONIC, patient]), acute, among=findings)
    rng = np.random.default_rng([seed, _CASE, index])
    study = Study(anatomy, bool(rng.uniform() < CONTRAST_SHARE), lesions)
    drawn_noise = rng.uniform(*NOISE_RANGE)
    more = [
        write_report(study, np.random.default_rng([seed, _REPORT, index, number])) for number in range(1, wordings)
    ]
    report = write_report(study, np.random.default_rng([seed, _REPORT, index]))
    return Case(
        case_id=f"case_{index:05d}",
        patient_id=f"patient_{patient:05d}",
        study=study,
        report=report,
        reports=(report, *more) if more else (),
        orientation=str(rng.choice(ORIENTATIONS, p=ORIENTATION_SHARES)),
        origin=rng.uniform(-60, 60, 3).round(1),
        noise_sd=float(drawn_noise if noise is None else noise),
        image_seed=(seed, index),
    )


def split_by_patient(cases: list[Case], seed: int) -> dict[str, list[Case]]:
    """Lists `training`, `validation`, `test` of about 70, 10 and 20 % of the cases; a patient is in one only.

    A cohort of three patients or more has none of the lists empty.
    """
    patients = list(dict.fromkeys(case.patient_id for case in cases))
    order = np.random.default_rng([seed, _SPLIT]).permutation(len(patients))
    sizes = Counter(case.patient_id for case in cases)
    wanted = {"test": 0.2 * len(cases), "validation": 0.1 * len(cases)}
    split_of, filled = {}, {"test": 0, "validation": 0}
    for place, number in enumerate(order):
        name = patients[number]
        short = [split for split in wanted if filled[split] + sizes[name] / 2 <= wanted[split] or filled[split] == 0]
        left = len(patients) - place
        split_of[name] = short[0] if short and left > 1 and len(patients) >= 3 else "training"
        if split_of[name] != "training":
            filled[split_of[name]] += sizes[name]
    return {
        split: [case for case in cases if split_of[case.patient_id] == split]
        for split in ("training", "validation", "test")
    }
