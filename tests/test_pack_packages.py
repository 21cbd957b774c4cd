import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile

import pytest
from bundle_runs import REPOSITORY
from release import BUNDLES, LABELS, WEIGHTS, models, packed
from zoo_rules import broken_rules

import t3d
from t3d.errors import T3DError
from t3d.pack.packages import find_bundles, pack_bundles


def names(path):
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def read(path, name):
    with zipfile.ZipFile(path) as archive:
        return archive.read(f"{path.name.split('_v')[0]}/{name}")


def test_each_zip_is_named_as_the_zoo_names_it_and_has_all_that_runs(release):
    for bundle, path in release.items():
        assert path.name == f"{bundle}_v{t3d.__version__}.zip"
        found = [name.removeprefix(f"{bundle}/") for name in names(path)]
        assert all(name.startswith(f"{bundle}/") for name in names(path))
        for name in ("LICENSE", "SHA256SUMS", "configs/train.json", "configs/logging.conf", "docs/README.md",
                     "models/model.pt", "models/README.md", "t3d/__init__.py", "t3d/cli.py",
                     "t3d/reports/chest_abdomen_ct.json"):  # fmt: skip
            assert name in found, name
        assert not [
            n for n in found if "__pycache__" in n or "checkpoint_epoch" in n or n.startswith(("tests", "eval"))
        ]
        # patients, other weights and what nobody asked for stay at home
        kept = {name for name in found if name.startswith("models/")}
        assert kept <= {"models/README.md", "models/model.pt", "models/model.json", "models/encoder.json"}


def test_the_code_is_a_copy_of_the_running_package(release):
    for path in release.values():
        found = {n.split("/", 1)[1] for n in names(path) if "/t3d/" in n}
        source = {p.relative_to(REPOSITORY).as_posix() for p in (REPOSITORY / "t3d").rglob("*.py")}
        assert source <= found
        for name in sorted(source)[::40]:
            assert read(path, name) == (REPOSITORY / name).read_bytes()


def test_entries_are_plain_files_of_one_date_and_mode(release):
    with zipfile.ZipFile(release["t3d_pretrain"]) as archive:
        infos = archive.infolist()
    assert [i.filename for i in infos] == sorted(i.filename for i in infos)
    assert {i.date_time for i in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert {i.external_attr >> 16 for i in infos} == {stat.S_IFREG | 0o644}


def test_the_same_bytes_again_from_another_checkout_with_another_umask(release, tmp_path):
    checkout = tmp_path / "some where else"
    for folder in ("t3d", "bundles"):
        shutil.copytree(REPOSITORY / folder, checkout / folder, ignore=shutil.ignore_patterns("__pycache__", "models"))
    for bundle in BUNDLES:
        place = checkout / "bundles" / bundle / "models"
        place.mkdir()
        shutil.copy(REPOSITORY / "bundles" / bundle / "models" / "README.md", place)
        os.utime(checkout / "bundles" / bundle / "LICENSE", (1, 1))
    (checkout / "bundles" / "t3d_pretrain" / "configs" / "train.json").chmod(0o600)
    weights = models(tmp_path / "weights")
    line = [sys.executable, "-m", "t3d", "pack", "--out_dir", str(tmp_path / "out"), "--models_root", str(weights)]
    environment = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    done = subprocess.run(line, cwd=checkout, env=environment, capture_output=True, text=True, umask=0o077)
    assert done.returncode == 0, done.stderr
    for path in release.values():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes(), path.name
        assert f"{path.name}: {path.stat().st_size / (1 << 20):.2f} MiB" in done.stderr
    there = next(iter(release.values())).parent
    assert (tmp_path / "out" / "SHA256SUMS").read_bytes() == (there / "SHA256SUMS").read_bytes()


def test_a_date_of_choice_and_one_that_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    with zipfile.ZipFile(packed(tmp_path)[0]) as archive:
        assert archive.infolist()[0].date_time == (2023, 11, 14, 22, 13, 20)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "soon")
    with pytest.raises(T3DError, match="SOURCE_DATE_EPOCH is 'soon'"):
        packed(tmp_path / "other")
    assert not list((tmp_path / "other" / "dist").glob("*"))


def test_metadata_describe_the_weights_in_the_package(release):
    outputs = {
        bundle: json.loads(read(path, "configs/metadata.json"))["network_data_format"]["outputs"]["pred"]
        for bundle, path in release.items()
    }
    assert outputs["t3d_segmentation"]["channel_def"] == {"0": "background", "1": "liver", "2": "kidneys"}
    assert outputs["t3d_segmentation"]["num_channels"] == 3
    assert outputs["t3d_classification"]["channel_def"] == {"0": "nodule", "1": "effusion"}
    assert outputs["t3d_pretrain"]["num_channels"] == 16
    assert (
        json.dumps(LABELS) in json.loads(read(release["t3d_segmentation"], "configs/metadata.json"))["label_classes"]
    )


def test_records_do_not_tell_where_they_were_made(release, caplog, tmp_path):
    assert json.loads(read(release["t3d_pretrain"], "models/encoder.json"))["text"]["text_encoder"] == "tiny_bert"
    record = json.loads(read(release["t3d_segmentation"], "models/model.json"))
    assert record["encoder_weights"] == "encoder.safetensors"
    for path in release.values():
        assert b"janedoe" not in path.read_bytes()
    packed(tmp_path)
    assert "text encoder is the folder /janedoe/at/home/tiny_bert, which is not packed" in caplog.text


def test_a_bundle_without_weights_is_packed_and_says_so(tmp_path, caplog):
    bundles = [p for p in find_bundles(REPOSITORY / "bundles") if not (p / "models" / "model.pt").exists()]
    if not bundles:
        pytest.skip("all bundles of this checkout are trained")
    zips = pack_bundles(bundles, out_dir=tmp_path)
    assert f"{bundles[0].name}: no model.pt" in caplog.text
    assert json.loads(read(zips[0], "configs/metadata.json")) == json.loads(
        (bundles[0] / "configs" / "metadata.json").read_text()
    )


def test_weights_and_a_record_of_different_trainings_are_refused(tmp_path):
    weights = models(tmp_path / "weights")
    (weights / "t3d_segmentation" / "model.pt").write_bytes(WEIGHTS[::-1])
    bundles = find_bundles(REPOSITORY / "bundles", ["t3d_segmentation"])
    with pytest.raises(T3DError, match="model.pt has sha256 .* different trainings"):
        pack_bundles(bundles, out_dir=tmp_path / "dist", models_root=weights)
    (weights / "t3d_segmentation" / "model.json").unlink()
    with pytest.raises(T3DError, match="has model.pt but neither model.json nor encoder.json"):
        pack_bundles(bundles, out_dir=tmp_path / "dist", models_root=weights)
    assert not (tmp_path / "dist").exists()


def test_an_earlier_zip_is_only_replaced_when_asked(tmp_path):
    first = packed(tmp_path)[0]
    first.write_bytes(b"mine")
    bundles = find_bundles(REPOSITORY / "bundles")
    with pytest.raises(T3DError, match=f"{first.name} exists already"):
        pack_bundles(bundles, out_dir=first.parent)
    assert first.read_bytes() == b"mine"
    pack_bundles(bundles, out_dir=first.parent, overwrite=True)
    assert zipfile.is_zipfile(first)


def test_the_checksums_of_the_folder_are_those_of_all_zips_in_it(tmp_path):
    weights = models(tmp_path / "weights")
    options = {"out_dir": tmp_path, "models_root": weights, "large_files_url": "https://host/x", "large_mib": 0.001}
    for name in ("t3d_pretrain", "t3d_segmentation"):
        pack_bundles(find_bundles(REPOSITORY / "bundles", [name]), **options)
    lines = (tmp_path / "SHA256SUMS").read_text().splitlines()
    assert [line.split("  ")[1] for line in lines] == [
        "large_files/t3d_pretrain_v0.1.0/models/model.pt", "large_files/t3d_segmentation_v0.1.0/models/model.pt",
        "t3d_pretrain_v0.1.0.zip", "t3d_segmentation_v0.1.0.zip",
    ]  # fmt: skip
    for line in lines:
        digest, name = line.split("  ")
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
    (tmp_path / "SHA256SUMS").write_text("mine")
    with pytest.raises(T3DError, match="SHA256SUMS is damaged or no list of checksums"):
        pack_bundles(find_bundles(REPOSITORY / "bundles", ["t3d_classification"]), **options)
    assert (tmp_path / "SHA256SUMS").read_text() == "mine" and len(list(tmp_path.glob("*.zip"))) == 2


def test_without_bundles_it_says_where_they_are(tmp_path):
    with pytest.raises(T3DError, match="--bundles_dir"):
        find_bundles(tmp_path)
    with pytest.raises(T3DError, match="no bundle t3d_magic in .*t3d_segmentation"):
        find_bundles(REPOSITORY / "bundles", ["t3d_magic"])


def test_a_link_in_a_bundle_is_refused(tmp_path):
    shutil.copytree(REPOSITORY / "bundles" / "t3d_pretrain", tmp_path / "t3d_pretrain")
    (tmp_path / "t3d_pretrain" / "docs" / "more.md").symlink_to(REPOSITORY / "README.md")
    with pytest.raises(T3DError, match="docs/more.md is a symbolic link"):
        pack_bundles([tmp_path / "t3d_pretrain"], out_dir=tmp_path / "dist")


def test_what_is_packed_is_ready_for_the_zoo(release, tmp_path):
    for bundle, path in release.items():
        with zipfile.ZipFile(path) as archive:
            archive.extractall(tmp_path)
        assert broken_rules(tmp_path / bundle) == []


def test_exported_networks_go_with_the_bundles_own_weights_only(tmp_path):
    ignored = shutil.ignore_patterns("models", "eval")
    bundle = shutil.copytree(
        REPOSITORY / "bundles" / "t3d_segmentation", tmp_path / "t3d_segmentation", ignore=ignored
    )
    models(tmp_path / "weights")
    shutil.copytree(tmp_path / "weights" / "t3d_segmentation", bundle / "models")
    (bundle / "export").mkdir()
    (bundle / "export" / "model.onnx").write_bytes(WEIGHTS * 200)
    own = pack_bundles([bundle], out_dir=tmp_path / "own", large_files_url="https://host/x", large_mib=1)[0]
    assert read(own, "large_files.yml").count(b"path: ") == 1
    assert b'"https://host/x/t3d_segmentation_v0.1.0/export/model.onnx"' in read(own, "large_files.yml")
    upload = tmp_path / "own" / "large_files" / "t3d_segmentation_v0.1.0" / "export" / "model.onnx"
    assert upload.read_bytes() == WEIGHTS * 200
    assert "t3d_segmentation/export/model.onnx" in names(pack_bundles([bundle], out_dir=tmp_path / "all")[0])
    other = pack_bundles([bundle], out_dir=tmp_path / "other", models_root=tmp_path / "weights")[0]
    assert not [name for name in names(other) if "export" in name and "/t3d/" not in name]
