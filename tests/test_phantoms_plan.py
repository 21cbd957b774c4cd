from dataclasses import asdict

import numpy as np
import pytest

from t3d.phantoms.plan import ORIENTATIONS, plan_case, split_by_patient
from t3d.phantoms.study import FINDINGS


@pytest.fixture(scope="module")
def planned():
    return [plan_case(0, index) for index in range(200)]


def test_splits_are_70_10_20_and_patients_are_never_split(planned):
    for count in (200, 50, 12):
        splits = split_by_patient(planned[:count], 7)
        sizes = {name: len(cases) for name, cases in splits.items()}
        assert sum(sizes.values()) == count
        assert abs(sizes["test"] - 0.2 * count) <= 2 and abs(sizes["validation"] - 0.1 * count) <= 2
        patients = [{case.patient_id for case in cases} for cases in splits.values()]
        assert sum(map(len, patients)) == len(set.union(*patients))


def test_small_cohorts_leave_no_list_empty_from_three_patients_on(planned):
    for count in range(1, 9):
        splits = split_by_patient(planned[:count], 1)
        patients = len({case.patient_id for case in planned[:count]})
        assert splits["training"] and (patients < 3 or (splits["validation"] and splits["test"]))


def test_some_patients_come_twice_with_the_same_anatomy(planned):
    by_patient = {}
    for case in planned:
        by_patient.setdefault(case.patient_id, []).append(case)
    twice = [cases for cases in by_patient.values() if len(cases) == 2]
    assert 15 <= len(twice) <= 45 and max(map(len, by_patient.values())) == 2
    for first, second in twice:
        assert first.study.anatomy.shape_seed == second.study.anatomy.shape_seed
        assert first.study.findings["lung_nodule"] == second.study.findings["lung_nodule"]
        assert first.report != second.report


def test_no_two_patients_are_alike(planned):
    first_visits = {case.patient_id: case for case in planned}.values()
    numbers = {
        tuple(np.concatenate([np.ravel(value) for value in asdict(case.study.anatomy).values()]))
        for case in first_visits
    }
    assert len(numbers) == len(first_visits)


def test_prevalence_of_findings_and_share_of_normal_cases(planned):
    table = np.array([list(case.study.findings.values()) for case in planned])
    assert table.shape == (200, len(FINDINGS))
    assert (table.mean(axis=0) > 0.18).all() and (table.mean(axis=0) < 0.42).all()
    assert 0.06 < (table.sum(axis=1) == 0).mean() < 0.25


def test_how_a_case_is_stored_does_not_depend_on_its_findings(planned):
    assert {case.orientation for case in planned} == set(ORIENTATIONS)
    many = np.array([sum(case.study.findings.values()) for case in planned], float)
    for stored in ([case.noise_sd for case in planned], [case.orientation == "RAS" for case in planned]):
        assert abs(np.corrcoef(many, np.array(stored, float))[0, 1]) < 0.25
    assert not any(name.replace("_", " ") in planned[0].case_id for name in FINDINGS)


def test_noise_can_be_set_without_changing_anything_else():
    drawn, quiet = plan_case(2, 5), plan_case(2, 5, noise=3)
    assert 15 <= drawn.noise_sd <= 25 and quiet.noise_sd == 3
    assert drawn.report == quiet.report and drawn.orientation == quiet.orientation
