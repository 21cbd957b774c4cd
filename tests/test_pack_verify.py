import hashlib
import json
import os
import shutil
import stat
import subprocess
import zipfile

import pytest
from release import packed, rewritten

from t3d.errors import T3DError
from t3d.pack.sums import OLD, SUMS
from t3d.pack.unpack import unpack_zips
from t3d.pack.verify import verify_packages

NAME = "t3d_segmentation"


def read(path, name):
    with zipfile.ZipFile(path) as archive:
        return archive.read(f"{NAME}/{name}")


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
    assert [package.name for package in found] == list(release)
    unpack_zips(list(release.values()), tmp_path)
    again = verify_packages([tmp_path / name for name in release])
    assert [package.sums for package in again] == [package.sums for package in found]


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="there is no sha256sum")
def test_sha256sum_reads_the_checksums_of_the_files_and_of_the_zips(folder, release):
    for place in (folder, release[NAME].parent):
        done = subprocess.run(["sha256sum", "--check", "--strict", SUMS], cwd=place, capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout.count(": OK\n") == done.stdout.count("\n") > 2, done.stderr
    (folder / "t3d" / "cli.py").write_text("")
    done = subprocess.run(["sha256sum", "--check", SUMS], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1 and "t3d/cli.py: FAILED" in done.stdout


def test_a_zip_whose_own_checksums_were_changed_too_is_found_by_those_beside_it(release, tmp_path):
    sums = read(release[NAME], SUMS).decode()
    digest = next(line.split()[0] for line in sums.splitlines() if line.endswith(" t3d/cli.py"))
    sums = sums.replace(digest, hashlib.sha256(b"evil").hexdigest()).encode()
    path = rewritten(release[NAME], tmp_path / release[NAME].name, change={SUMS: sums, "t3d/cli.py": b"evil"})
    assert verify_packages([path])
    shutil.copy(release[NAME].with_name(SUMS), tmp_path)
    refused(path, f"is not the zip that {tmp_path / SUMS} names", tmp_path)


def test_a_package_of_version_0_1_0_is_compared_with_its_manifest(bad, release, tmp_path):
    entries = [line.split("  ") for line in read(release[NAME], SUMS).decode().splitlines()]
    files = {name: {"sha256": digest, "size": 0} for digest, name in entries}
    old = {"format_version": 1, "bundle": NAME, "files": files, "downloads": {}}
    manifest = [(f"{NAME}/{OLD}", json.dumps(old).encode())]
    shutil.copy(bad(drop=(SUMS,), extra=manifest), tmp_path / "old.zip")
    (found,) = unpack_zips([tmp_path / "old.zip"], tmp_path)
    assert found.sums == {name: digest for digest, name in entries}
    assert verify_packages([tmp_path / NAME])
    bad(drop=(SUMS,), extra=manifest, change={"t3d/cli.py": b""})
    refused(tmp_path / "bad.zip", "t3d/cli.py was changed", tmp_path)


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
    refused(bad(drop=(SUMS,)), f"has no {SUMS}", tmp_path)


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


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b"{", b'{"files": []}', b'{"files": {"LICENSE": 1}}', b"\xff", b"0" * 64,
     b"0" * 63 + b"  LICENSE\n", b"0" * 64 + b"  LICENSE\n\n", (b"0" * 64 + b"  LICENSE\n") * 2, b" " * (17 << 20)],
    ids=range(12),
)  # fmt: skip
def test_what_is_no_list_of_checksums_is_refused(bad, tmp_path, content):
    refused(bad(change={SUMS: content}), f"{SUMS} is damaged or no list of checksums", tmp_path)


def test_checksums_of_files_elsewhere_are_refused(bad, release, tmp_path):
    climbing = read(release[NAME], SUMS) + b"0" * 64 + b"  ../evil\n"
    refused(bad(change={SUMS: climbing}), "would be written outside", tmp_path)


def test_only_large_files_may_be_missing_and_only_those_that_are_named(bad, release, tmp_path):
    large = b'large_files:\n  - path: "models/model.pt"\n'
    sums = read(release[NAME], SUMS) + hashlib.sha256(large).hexdigest().encode() + b"  large_files.yml\n"
    extra = [(f"{NAME}/large_files.yml", large)]
    (found,) = verify_packages([bad(drop=("models/model.pt",), change={SUMS: sums}, extra=extra)])
    assert found.to_download == ("models/model.pt",)
    refused(bad(drop=("t3d/cli.py",), change={SUMS: sums}, extra=extra), "t3d/cli.py is missing", tmp_path)
    more = [(f"{NAME}/large_files.yml", large + b'  - path: "t3d/cli.py"\n')]
    refused(bad(drop=("t3d/cli.py",), change={SUMS: sums}, extra=more), "large_files.yml was changed", tmp_path)


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
    assert list((tmp_path / "out").iterdir()) == []


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
