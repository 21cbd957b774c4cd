import json

import pytest
from tiny_text import REPORTS

from t3d.demo.cohort_bert import cohort_bert
from t3d.demo.tiny_bert import tiny_bert
from t3d.errors import T3DError
from t3d.reports.clean import clean_report


@pytest.fixture
def datalist(tmp_path):
    def item(number: int, report: str) -> dict:
        (tmp_path / f"{number}.nii.gz").write_bytes(b"not read here")
        return {"case_id": f"c{number}", "image": f"{number}.nii.gz", "report": report}

    lists = {
        "training": [item(i, report.replace(". ", ".,")) for i, report in enumerate(REPORTS)],
        "test": [item(10 + i, "ventricle ventricle") for i in range(5)],
    }
    file = tmp_path / "datalist.json"
    file.write_text(json.dumps(lists))
    return file


def test_made_from_the_cleaned_training_reports_only(datalist, tmp_path):
    folder = cohort_bert(datalist, tmp_path / "a", width=32, heads=2)
    cleaned = [clean_report(report.replace(". ", ".,")) for report in REPORTS]
    plain = tiny_bert(tmp_path / "b", cleaned, width=32, heads=2)
    for name in ("vocab.txt", "model.safetensors", "tiny_bert.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert folder == str(tmp_path / "a") and plain == str(tmp_path / "b")
    assert "ventricle" not in (tmp_path / "a" / "vocab.txt").read_text()


def test_faults_of_the_datalist_are_said(tmp_path):
    with pytest.raises(T3DError, match="nowhere.json"):
        cohort_bert(tmp_path / "nowhere.json", tmp_path / "a")
