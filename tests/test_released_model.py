from t3d.monai_label.released_model import keep_released


def test_the_first_model_is_kept_and_never_replaced(tmp_path):
    keep_released(tmp_path)
    assert not list(tmp_path.iterdir())  # there is no model yet
    for name in ("model.pt", "model.json", "thresholds.json"):
        (tmp_path / name).write_text("released " + name)
    (tmp_path / "model_last.pt").write_text("not served")
    keep_released(tmp_path)
    (tmp_path / "model.pt").write_text("retrained")
    keep_released(str(tmp_path))
    kept = {path.name: path.read_text() for path in (tmp_path / "released").iterdir()}
    assert kept == {name: f"released {name}" for name in ("model.pt", "model.json", "thresholds.json")}
    # MONAI Label serves the *.pt in this folder with the shortest name
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == ["model.pt", "model_last.pt"]
