import json
import os
import stat
import zipfile

import pytest
from release import packed, rewritten

from t3d.errors import T3DError
from t3d.pack.manifest import FORMAT_VERSION, MANIFEST
from t3d.pack.unpack import unpack_zips
from t3d.pack.verify import verify_packages

NAME = "t3d_segmentation"


def manifest_of(path):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(f"{NAME}/{MANIFEST}"))


@pytest.fixture
def bad(release, tmp_path):
    def make(**how):
        return rewritten(release[NAME], tmp_path / "bad.zip", **how)

    return make


@pytest.fixture
def folder(release, tmp_path):
    unpack_zips([release[NAME]], tmp_path)
    return tmp_path / NAME


def refused(path, words, tmp_path, **options):
    """Both verify and unpack refuse it in the same words, and nothing is left of it."""
    for call in (lambda: verify_packages([path], **options), lambda: unpack_zips([path], tmp_path / "out", **options)):
        with pytest.raises(T3DError) as caught:
            call()
        assert words in str(caught.value) and str(path) in str(caught.value), str(caught.value)
    out = tmp_path / "out"
    assert not out.exists() or list(out.iterdir()) == []


def test_intact_packages_verify_as_zips_and_as_folders(release, tmp_path):
    found = verify_packages(list(release.values()))
    assert [package.manifest.bundle for package in found] == list(release)
    unpack_zips(list(release.values()), tmp_path)
    again = verify_packages([tmp_path / name for name in release])
    assert [package.manifest for package in again] == [package.manifest for package in found]


def test_a_changed_file_is_named(bad, tmp_path):
    train = b'{"run": "$evil"}'
    refused(bad(change={"configs/train.json": train}), "configs/train.json was changed", tmp_path)


def test_a_changed_file_of_the_same_length_is_named(bad, release, tmp_path):
    with zipfile.ZipFile(release[NAME]) as archive:
        content = bytearray(archive.read(f"{NAME}/t3d/cli.py"))
    content[100] ^= 1
    refused(bad(change={"t3d/cli.py": bytes(content)}), "t3d/cli.py was changed or is damaged: sha256", tmp_path)


def test_flipped_bytes_in_the_zip_are_found(release, tmp_path):
    content = bytearray(release[NAME].read_bytes())
    place = content.find(b"weights of a network") + 50
    content[place] ^= 0xFF
    (tmp_path / "bad.zip").write_bytes(content)
    refused(tmp_path / "bad.zip", "models/model.pt was changed or is damaged", tmp_path)


def test_missing_and_added_files_are_named(bad, tmp_path):
    refused(bad(drop=("t3d/errors.py",)), "t3d/errors.py is missing", tmp_path)
    refused(bad(extra=[(f"{NAME}/t3d/more.py", b"")]), "t3d/more.py is not of the package", tmp_path)
    refused(bad(drop=(MANIFEST,)), f"has no {MANIFEST}", tmp_path)


@pytest.mark.parametrize(
    "name",
    ["../evil.py", f"{NAME}/../../evil.py", "/etc/evil", "C:/evil.py", f"{NAME}/C:evil", f"{NAME}\\evil", f"{NAME}//e",
     f"{NAME}/./e", f"{NAME}/a\nb", f"{NAME}/ a", f"{NAME}/nul\0/e"],
)  # fmt: skip
def test_names_that_lead_elsewhere_are_refused(bad, tmp_path, name):
    entry = zipfile.ZipInfo("x")
    entry.filename = name  # past the clean-up of ZipInfo
    refused(bad(extra=[(entry, b"")]), "would be written outside its folder", tmp_path)
    assert not list(tmp_path.parent.glob("evil*"))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_entries_that_are_no_files_are_refused(bad, tmp_path, kind):
    entry = zipfile.ZipInfo(f"{NAME}/models/link")
    entry.create_system, entry.external_attr = 3, (kind | 0o777) << 16
    refused(bad(extra=[(entry, b"/etc/passwd")]), "is a link, a device or encrypted", tmp_path)


def test_two_entries_for_one_file_are_refused(bad, tmp_path):
    refused(bad(extra=[(f"{NAME}/T3D/CLI.py", b"")]), "is in it twice", tmp_path)


def test_more_than_one_folder_is_refused(bad, tmp_path):
    refused(bad(extra=[("other/file", b"")]), "packages have one folder at the top", tmp_path)


def test_a_zip_that_claims_too_much_is_refused_unless_allowed(release, tmp_path):
    size = sum(info.file_size for info in zipfile.ZipFile(release[NAME]).infolist()) / (1 << 30)
    refused(release[NAME], "allow it with --max_gib", tmp_path, max_gib=size * 0.99)
    assert verify_packages([release[NAME]], max_gib=size * 1.01)


def test_a_bomb_is_refused_before_it_is_opened(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(f"{NAME}/zeros", "w", force_zip64=True) as file:
            for _ in range(64):
                file.write(bytes(1 << 20))
    refused(tmp_path / "bomb.zip", "claims to hold 0.1 GiB", tmp_path, max_gib=0.05)


def test_manifests_of_a_later_format_or_no_manifests_are_refused(bad, release, tmp_path):
    later = {**manifest_of(release[NAME]), "format_version": FORMAT_VERSION + 1}
    refused(bad(change={MANIFEST: json.dumps(later).encode()}), "format version 2, this t3d reads 1", tmp_path)
    for content in (b"", b"[]", b"{}", b'{"format_version": 1, "bundle": "x"}', b"\xff"):
        refused(bad(change={MANIFEST: content}), f"{MANIFEST} is damaged or no manifest", tmp_path)
    big = b" " * (16 << 20) + b"{}"
    refused(bad(change={MANIFEST: big}), "too many to be one", tmp_path)
    climbing = manifest_of(release[NAME])
    climbing["files"]["../evil"] = climbing["files"]["LICENSE"]
    refused(bad(change={MANIFEST: json.dumps(climbing).encode()}), "would be written outside", tmp_path)
    other = {**manifest_of(release[NAME]), "bundle": "t3d_other"}
    refused(bad(change={MANIFEST: json.dumps(other).encode()}), "is of t3d_other", tmp_path)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_files_that_are_no_packages(tmp_path, content):
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(T3DError, match="is no zip or is damaged|have one folder at the top"):
        verify_packages([tmp_path / "x.zip"])
    with pytest.raises(T3DError, match="neither a zip nor a folder"):
        verify_packages([tmp_path / "gone.zip"])


def test_packages_of_two_releases_are_refused_together(release, tmp_path, monkeypatch):
    import t3d.pack.packages as packages

    code = packages.code_files()
    monkeypatch.setattr(packages, "code_files", lambda: {**code, "t3d/errors.py": b"# another"})
    other = packed(tmp_path)[0]
    assert verify_packages([other])
    with pytest.raises(T3DError) as caught:
        verify_packages([release[NAME], other])
    assert "different copies of t3d (t3d/errors.py)" in str(caught.value)
    with pytest.raises(T3DError, match="different copies of t3d"):
        unpack_zips([release[NAME], other], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    found = {**manifest_of(release[NAME]), "t3d_version": "0.0.9"}
    old = rewritten(release[NAME], tmp_path / "old.zip", change={MANIFEST: json.dumps(found).encode()})
    with pytest.raises(T3DError, match=r"different versions \(0.0.9 and 0.1.0\)"):
        verify_packages([old, release["t3d_pretrain"]])


def test_what_runs_leave_in_a_folder_is_no_fault(folder):
    for name in (
        "eval/metrics.json",
        "data/ct.nii.gz",
        "t3d/__pycache__/cli.cpython-311.pyc",
        ".cache/x",
        ".gitignore",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    assert verify_packages([folder])


def test_changes_in_a_folder_are_named(folder):
    (folder / "models" / "mine.pt").write_text("")
    with pytest.raises(T3DError, match="models/mine.pt is not of the package. Training writes there"):
        verify_packages([folder])
    (folder / "models" / "mine.pt").unlink()
    (folder / "sitecustomize.py").write_text("")
    with pytest.raises(T3DError, match="sitecustomize.py is not of the package"):
        verify_packages([folder])
    (folder / "sitecustomize.py").unlink()
    (folder / "LICENSE").unlink()
    os.symlink("/etc/hosts", folder / "LICENSE")
    with pytest.raises(T3DError, match="LICENSE is a symbolic link"):
        verify_packages([folder])
