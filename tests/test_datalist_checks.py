import pytest

from t3d.data.datalist_checks import duplicate_cases, shared_patients
from t3d.errors import SHOWN_FAULTS, T3DError, raise_faults


def item(case, patient):
    return {"case_id": case, "patient_id": patient}


def test_duplicates_within_and_between_lists():
    splits = {"training": [item("a", "1"), item("a", "1"), item("b", "2")], "test": [item("b", "2")]}
    assert [fault.split(":")[0] for fault in duplicate_cases(splits)] == ["case a", "case b"]


def test_several_cases_of_one_patient_may_share_a_list():
    splits = {"training": [item("a", "1"), item("b", "1")], "test": [item("c", "2")]}
    assert shared_patients(splits) == []
    splits["test"].append(item("d", "1"))
    assert (
        len(shared_patients(splits)) == 1
        and "cases d (test) and a (training): are of one patient" in shared_patients(splits)[0]
    )


def test_one_fault_is_one_sentence_and_none_is_silence():
    raise_faults([], "datalist.json")
    with pytest.raises(T3DError, match="^datalist.json: case a: wrong; mend it.$"):
        raise_faults(["case a: wrong; mend it"], "datalist.json")


def test_exactly_the_shown_number_has_no_rest():
    with pytest.raises(T3DError) as caught:
        raise_faults([f"fault {n}" for n in range(SHOWN_FAULTS)], "datalist.json")
    assert "more" not in str(caught.value) and f"{SHOWN_FAULTS} faults" in str(caught.value)
