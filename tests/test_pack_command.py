import subprocess
import sys

import pytest
from bundle_runs import environment
from release import models

from t3d.cli import main
from t3d.errors import T3DError


def test_pack_verify_and_unpack_one_bundle(tmp_path, caplog, monkeypatch):
    monkeypatch.chdir(tmp_path)
    caplog.set_level("INFO", logger="t3d")
    weights = models(tmp_path / "weights")
    (weights / "t3d_segmentation").rename(weights / "kept")
    (weights / "t3d_segmentation").mkdir()
    (weights / "kept").rename(weights / "t3d_segmentation" / "models")
    main(["pack", "--out_dir", "dist", "--bundle", "t3d_segmentation,t3d_pretrain", "--models_root", "weights"])
    assert sorted(path.name for path in (tmp_path / "dist").iterdir()) == [
        "SHA256SUMS", "t3d_pretrain_v0.1.0.zip", "t3d_segmentation_v0.1.0.zip"
    ]  # fmt: skip
    main(["verify", "dist/t3d_pretrain_v0.1.0.zip", "dist/t3d_segmentation_v0.1.0.zip", "--max_gib", "1"])
    assert caplog.text.count("intact") == 2
    main(["unpack", "dist/t3d_segmentation_v0.1.0.zip", "--out_dir", "2024_01"])
    assert (tmp_path / "2024_01" / "t3d_segmentation" / "models" / "model.json").is_file()
    main(["verify", "2024_01/t3d_segmentation"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pack"], "give --out_dir for zips"),
        (["verify"], "name the zips or folders"),
        (["unpack", "--out_dir", "x"], "name the zips"),
        (["verify", "x", "--max_gib", "much"], "--max_gib is 'much'; give a number"),
        (["verify", "x", "--max_gib", "-1"], "--max_gib is -1.0; give a number above 0"),
        (["pack", "--out_dir", "x", "--overwrite", "perhaps"], "--overwrite is 'perhaps'; give True or False"),
        (["pack", "--out_dir", "x", "--large_files_url", "ftp"], "--large_files_url is 'ftp'"),
        (["pack", "--out_dir", "x", "--large_files_url", "https://host/a#b"], "--large_files_url"),
        (["pack", "--out_dir", "x", "--models_root", "nowhere"], "there is no folder nowhere/t3d_"),
    ],
)
def test_what_cannot_be_done_is_said(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(T3DError, match=words.replace("(", r"\(")):
        main(arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_tampered_zip_is_one_sentence_and_status_1(release, tmp_path):
    content = release["t3d_pretrain"].read_bytes()
    bad = tmp_path / "bad.zip"
    bad.write_bytes(content.replace(b"weights of a network", b"Weights of a network", 1))
    line = [sys.executable, "-m", "t3d", "verify", str(bad)]
    done = subprocess.run(line, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith(f"error: {bad}: models/model.pt was changed") and done.stderr.count("\n") == 1
