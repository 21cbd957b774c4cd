import os
import subprocess
import sys
import textwrap

import pytest

from t3d.atomic import write_atomically
from t3d.errors import T3DError


def test_writes_all_files_and_leaves_nothing_else(tmp_path):
    folder = tmp_path / "new" / "folder"
    write_atomically({folder / "a": lambda f: f.write(b"1"), folder / "b": lambda f: f.write(b"2")})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"a": b"1", "b": b"2"}


def test_replaces_in_the_order_given(tmp_path, monkeypatch):
    replaced = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda part, target: (replaced.append(target.name), replace(part, target)))
    write_atomically({tmp_path / name: lambda f: f.write(b"x") for name in ("z", "a", "m")})
    assert replaced == ["z", "a", "m"]


def test_a_failure_in_the_second_file_leaves_the_first_as_it_was(tmp_path):
    (tmp_path / "a").write_bytes(b"old")

    def full(file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(T3DError, match=r"could not save .*b: No space left on device.*untouched"):
        write_atomically({tmp_path / "a": lambda f: f.write(b"new"), tmp_path / "b": full})
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]


def test_an_error_of_the_writer_itself_is_not_called_a_full_disk(tmp_path):
    def faulty(file):
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        write_atomically({tmp_path / "a": faulty})
    assert list(tmp_path.iterdir()) == []


def test_torch_checkpoint_survives_a_disk_that_takes_no_more_bytes(tmp_path):
    """A real failing write: the process may not make files above 20 kB."""
    script = textwrap.dedent(
        """
        import resource, sys, torch
        from t3d.atomic import write_atomically
        from t3d.errors import T3DError

        path = sys.argv[1]
        write_atomically({path: lambda f: torch.save(torch.zeros(10), f)})
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        try:
            write_atomically({path: lambda f: torch.save(torch.ones(100_000), f)})
        except T3DError as error:
            assert "File too large" in str(error), error
            sys.exit(7)
        """
    )
    path = tmp_path / "model.pt"
    done = subprocess.run([sys.executable, "-c", script, path], check=False, capture_output=True, text=True)
    assert done.returncode == 7, done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["model.pt"]
    import torch

    assert torch.load(path, weights_only=True).tolist() == [0.0] * 10


def test_a_file_where_a_folder_should_be_is_said(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(T3DError, match="could not save"):
        write_atomically({tmp_path / "taken" / "new.json": lambda stream: stream.write(b"x")})
    assert (tmp_path / "taken").read_text() == "a file"
