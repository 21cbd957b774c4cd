import json

import numpy as np
import pytest

from t3d.errors import T3DError
from t3d.phantoms import phantoms
from t3d.phantoms.anatomy import draw_anatomy
from t3d.phantoms.findings import draw_lesions
from t3d.phantoms.plan import plan_case
from t3d.phantoms.study import FINDINGS
from t3d.phantoms.torso import in_lung, lobe


def draws(count):
    for index in range(count):
        anatomy = draw_anatomy(np.random.default_rng(index))
        yield (
            anatomy,
            *draw_lesions(anatomy, np.random.default_rng([index, 1]), np.random.default_rng([index, 2])),
        )


def test_nodules_lie_in_the_lung_and_lobe_they_are_said_to_lie_in():
    seen = set()
    for _, anatomy, lesions in draws(80):
        for lesion in lesions:
            if lesion.finding == "lung_nodule":
                side = 1 if lesion.side == "right" else -1
                assert in_lung(anatomy, side, *np.array(lesion.centre).reshape(3, 1)).all()
                assert lobe(side, *lesion.centre[1:]) == lesion.place
                seen.add((lesion.side, lesion.place))
    assert len(seen) == 5, "three lobes on the right, two on the left"


def test_lesions_of_one_kind_do_not_touch():
    for _, _, lesions in draws(60):
        for kind in ("lung_nodule", "liver_lesion", "kidney_cyst"):
            found = [one for one in lesions if one.finding == kind]
            for number, one in enumerate(found):
                for other in found[:number]:
                    apart = np.linalg.norm(np.subtract(one.centre, other.centre))
                    assert apart > (one.size_mm + other.size_mm) / 2


def test_disease_changes_the_organs_it_names():
    changed = 0
    for healthy, anatomy, lesions in draws(60):
        found = {one.finding: one.size_mm for one in lesions}
        if "cardiomegaly" in found:
            assert np.isclose(anatomy.heart_width / 270, found["cardiomegaly"] / 100)
            changed += 1
        else:
            assert anatomy.heart_scale == healthy.heart_scale and anatomy.heart_width / 270 < 0.5
        if "splenomegaly" in found:
            assert np.isclose(anatomy.spleen_length * anatomy.frame[2], found["splenomegaly"])
    assert changed > 5


def test_chronic_disease_comes_from_the_patient_and_acute_from_the_day():
    anatomy = draw_anatomy(np.random.default_rng(0))
    days = [draw_lesions(anatomy, np.random.default_rng(5), np.random.default_rng(day))[1] for day in range(30)]
    acute = {"pleural_effusion", "consolidation", "pericardial_effusion"}
    assert len({tuple(one for one in day if one.finding not in acute) for day in days}) == 1
    assert len(set(days)) > 5
    assert all(list(day) == sorted(day, key=lambda one: FINDINGS.index(one.finding)) for day in days)


def test_only_the_wanted_findings_and_all_else_as_it_was():
    wanted = ("pleural_effusion", "splenomegaly")
    for index in range(12):
        whole, part = plan_case(3, index), plan_case(3, index, findings=wanted)
        kept = [lesion for lesion in whole.study.lesions if lesion.finding in wanted]
        assert list(part.study.lesions) == kept
        assert (part.orientation, part.noise_sd) == (whole.orientation, whole.noise_sd)
        assert "nodul" not in part.report.split("IMPRESSION")[1].lower()


def test_a_cohort_of_some_findings(tmp_path):
    listed = phantoms(tmp_path / "a", cases=3, shape=32, findings=["splenomegaly", "pleural_effusion"], montage=False)
    again = phantoms(tmp_path / "a", cases=3, shape=32, findings="[pleural_effusion, splenomegaly]", montage=False)
    assert again == listed
    items = [item for part in json.loads(listed.read_text()).values() for item in part]
    assert {tuple(item["findings"]) for item in items} == {("pleural_effusion", "splenomegaly")}
    with pytest.raises(T3DError, match="other settings"):
        phantoms(tmp_path / "a", cases=3, shape=32, montage=False)
    with pytest.raises(T3DError, match="findings is 'spleen'; name some of lung_nodule"):
        phantoms(tmp_path / "b", cases=3, shape=32, findings="spleen")
