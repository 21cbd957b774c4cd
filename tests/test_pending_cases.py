import gzip

import pytest

from t3d.errors import T3DError
from t3d.infer.pending_cases import pending_cases

ITEMS = [{"case_id": name} for name in "abc"]


def names(items):
    return [item["case_id"] for item in items]


def test_all_cases_are_pending_in_a_new_folder(tmp_path):
    assert pending_cases(ITEMS, output_dir=tmp_path / "new") == ITEMS


def test_earlier_results_are_refused_skipped_or_replaced(tmp_path):
    (tmp_path / "b_pred.nii.gz").write_bytes(gzip.compress(b"result"))
    with pytest.raises(T3DError, match=r"1 of 3 cases.*b_pred\.nii\.gz.*--overwrite True"):
        pending_cases(ITEMS, output_dir=tmp_path)
    assert names(pending_cases(ITEMS, output_dir=tmp_path, skip_done=True)) == ["a", "c"]
    assert names(pending_cases(ITEMS, output_dir=tmp_path, overwrite=True)) == ["a", "b", "c"]


def test_a_half_written_result_is_made_again(tmp_path):
    whole = gzip.compress(b"result" * 100)
    for name, content in {"a": whole, "b": whole[:-10], "c": b""}.items():
        (tmp_path / f"{name}_pred.nii.gz").write_bytes(content)
    assert names(pending_cases(ITEMS, output_dir=tmp_path, skip_done=True)) == ["b", "c"]
