import json
import math

import pytest

from t3d.data.label_files import FindingFilesd, with_findings
from t3d.errors import T3DError

NAMES = ["cyst", "stone"]


def item(folder, case, findings, **more):
    file = folder / f"{case}.json"
    file.write_text(json.dumps({"findings": findings}))
    return {"image": f"/studies/{case}.nii.gz", "label": str(file), **more}


def test_files_become_vectors_and_cases_are_named_after_images(tmp_path):
    items = with_findings([item(tmp_path, "a", {"cyst": 1}), item(tmp_path, "b", {"stone": 0, "cyst": None})], NAMES)
    assert items[0]["label"][0] == 1.0 and math.isnan(items[0]["label"][1])
    assert math.isnan(items[1]["label"][0]) and items[1]["label"][1] == 0.0
    assert [(case["case_id"], case["patient_id"]) for case in items] == [("a", "a"), ("b", "b")]
    assert with_findings([item(tmp_path, "c", {"cyst": 0}, case_id="named")], NAMES)[0]["case_id"] == "named"


def test_other_items_are_left_alone(tmp_path):
    listed = [{"case_id": "a", "image": "a.nii.gz", "label": [1.0, 0.0]}]
    assert with_findings(listed, NAMES) == listed and with_findings([], NAMES) == []
    assert FindingFilesd(NAMES)(listed[0]) == listed[0]


def test_the_transform_lets_a_case_through_that_knows_nothing(tmp_path):
    unknown = item(tmp_path, "a", {"cyst": None})
    assert all(math.isnan(value) for value in FindingFilesd(NAMES)(unknown)["label"])
    with pytest.raises(T3DError, match="none of the 1 cases knows any"):
        with_findings([unknown], NAMES)


@pytest.mark.parametrize("content", ["", "[]", '{"cyst": 1}', '{"findings": [1]}', '{"findings": {"cyst": 2}}'])
def test_another_file_is_named_with_its_case(content, tmp_path):
    wrong = item(tmp_path, "a", {})
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(T3DError, match="case a: "):
        with_findings([wrong], NAMES)


def test_a_name_the_model_does_not_score_is_refused(tmp_path):
    with pytest.raises(T3DError, match="case a: label a.json names cist, .* findings are cyst, stone"):
        with_findings([item(tmp_path, "a", {"cist": 1})], NAMES)
