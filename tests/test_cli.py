import logging
import subprocess
import sys

import pytest

import t3d.phantoms
from t3d.cli import main
from t3d.errors import T3DError


def t3d_process(*arguments):
    return subprocess.run([sys.executable, "-m", "t3d", *arguments], check=False, capture_output=True, text=True)


@pytest.fixture
def written(monkeypatch):
    """Calls of the phantom generator, which is replaced."""
    calls = []
    monkeypatch.setattr(t3d.phantoms, "phantoms", lambda *args, **options: calls.append((args, options)))
    return calls


@pytest.mark.parametrize("arguments", [["--help"], ["phantoms", "--help"], ["tiny_bert", "--help"], []])
def test_help_imports_nothing_heavy(arguments):
    script = (
        "import sys, fire\n"
        "from t3d.cli import main\n"
        f"try:\n    main({arguments})\n"
        "except SystemExit as end:\n    assert end.code in (0, None), end.code\n"
        "heavy = {'torch', 'monai', 'transformers', 'numpy', 'nibabel', 'matplotlib', 'ignite'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shown = done.stdout + done.stderr
    words = ["out_dir"] if len(arguments) == 2 else ["phantoms", "tiny_bert", "summary"]
    assert all(word in shown.lower() for word in words)


def test_options_arrive_with_their_types(written):
    main(["phantoms", "--out_dir", "p", "--cases", "3", "--seed=7", "--shape", "64,64,32", "--nomontage"])
    options = {"cases": 3, "seed": 7, "shape": (64, 64, 32), "noise": None, "montage": False}
    assert written == [(("p",), options)]
    main(["phantoms", "p", "--noise", "1e1"])
    assert written[1][1]["noise"] == 10.0 and written[1][1]["montage"] is True


@pytest.mark.parametrize("folder", ["2024_01", "007", "1e5", "2024", "0x10", "a=1e5", "my folder"])
def test_a_folder_that_looks_like_a_number_keeps_its_name(written, folder):
    main(["phantoms", "--out_dir", folder])
    main(["phantoms", f"--out_dir={folder}"])
    assert [call[0] for call in written] == [(folder,), (folder,)]


def test_an_unknown_option_is_refused_before_anything_runs(written, capsys):
    with pytest.raises(SystemExit) as end:
        main(["phantoms", "--out_dir", "x", "--case", "3"])
    assert end.value.code == 2 and written == []
    assert "--case" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("cases", "many", "--cases is 'many'; give a whole number"),
        ("noise", "loud", "--noise is 'loud'; give a number"),
    ],
)
def test_what_is_no_number_is_said(written, option, value, words):
    with pytest.raises(T3DError, match=words):
        main(["phantoms", "--out_dir", "x", f"--{option}", value])
    assert written == []


def test_a_fault_of_the_user_is_one_sentence(tmp_path):
    done = t3d_process("summary", "--demo_dir", str(tmp_path))
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith(f"error: {tmp_path}") and "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_phantoms_and_their_text_encoder(tmp_path):
    done = t3d_process("phantoms", "--out_dir", str(tmp_path / "p"), "--cases", "5", "--shape", "32", "--nomontage")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "" and (tmp_path / "p" / "datalist.json").is_file()
    datalist = str(tmp_path / "p" / "datalist.json")
    done = t3d_process("tiny_bert", datalist, "--out_dir", str(tmp_path / "bert"), "--width", "32")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "bert" / "config.json").is_file() and str(tmp_path / "bert") in done.stderr


def test_the_console_shows_our_own_progress_only(written):
    main(["phantoms", "--out_dir", "x"])
    assert logging.getLogger("t3d.data").isEnabledFor(logging.INFO)
    assert not logging.getLogger("monai").isEnabledFor(logging.DEBUG)
