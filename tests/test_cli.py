import functools
import logging
import subprocess
import sys
from unittest.mock import create_autospec

import pytest

import t3d.export.command
import t3d.phantoms
from t3d.cli import main
from t3d.command_line import run_command
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
        "import sys\n"
        "from t3d.cli import main\n"
        f"try:\n    main({arguments})\n"
        "except SystemExit as end:\n    assert end.code in (0, None), end.code\n"
        "heavy = {'torch', 'monai', 'transformers', 'numpy', 'nibabel', 'matplotlib', 'ignite', 'fire'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shown = done.stdout + done.stderr
    words = ["out_dir"] if len(arguments) == 2 else ["phantoms", "tiny_bert", "summary"]
    assert all(word in shown.lower() for word in words)


def test_options_arrive_with_their_types(written):
    main(["phantoms", "--out_dir", "p", "--cases", "3", "--seed=7", "--shape", "64,64,32", "--nomontage"])
    options = {"cases": 3, "seed": 7, "shape": "64,64,32", "noise": None, "montage": False, "workers": 1}
    options |= {"wordings": 1, "findings": None}
    assert written == [(("p",), options)]
    main(["phantoms", "p", "--noise", "1e1"])
    assert written[1][1]["noise"] == 10.0 and written[1][1]["montage"] is True


def test_every_option_of_export_arrives(monkeypatch):
    call = create_autospec(t3d.export.command.export_bundle)
    monkeypatch.setattr(t3d.export.command, "export_bundle", call)
    main(["export", "b", "--out_dir", "o", "--ckpt_dir", "c", "--image", "i.nii.gz", "--overwrite"])
    call.assert_called_once_with("b", out_dir="o", ckpt_dir="c", image="i.nii.gz", overwrite=True)


@pytest.mark.parametrize("folder", ["2024_01", "007", "1e5", "2024", "0x10", "a=1e5", "my folder"])
def test_a_folder_that_looks_like_a_number_keeps_its_name(written, folder):
    main(["phantoms", "--out_dir", folder])
    main(["phantoms", f"--out_dir={folder}"])
    assert [call[0] for call in written] == [(folder,), (folder,)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--case", "3"], "--case is no option; did you mean --cases?"),
        (["--cas", "3"], "--cas is no option; did you mean --cases?"),
        (["--out-dri=x"], "--out_dri is no option; did you mean --out_dir?"),
        (["--zzz"], "--zzz is no option"),
        (["y"], "'y' is one argument too many: --out_dir is given"),
        (["y", "z"], "unrecognized arguments: z"),
        (["--seed"], "expected one argument"),
    ],
)
def test_wrong_usage_is_refused_before_anything_runs(written, capsys, arguments, words):
    with pytest.raises(SystemExit) as end:
        main(["phantoms", "--out_dir", "x", *arguments])
    assert end.value.code == 2 and written == []
    assert words in capsys.readouterr().err


def test_what_is_missing_or_no_command_is_said(written, capsys):
    for arguments, words in (["phantoms"], "--out_dir is needed"), (["phantom"], "invalid choice: 'phantom'"):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 2 and words in capsys.readouterr().err


def test_both_spellings_of_an_option_and_of_a_command():
    calls = []

    def two_words(out_dir: str, *, long_name: int = 1, as_is: bool = False) -> None:
        """Two words.

        Args:
            out_dir: a folder.
            long_name: 100 % of
                two lines.
            as_is: yes or no.
        """
        calls.append((out_dir, long_name, as_is))

    run = functools.partial(run_command, [two_words], program="p", about="All.")
    run(["two_words", "--out_dir", "a", "--long_name", "2", "--as_is"])
    run(["two-words", "--out-dir=a", "--long-name=2", "--as-is", "True"])
    run(["two_words", "a", "--long-name", "-2", "--noas_is"])
    run(["two_words", "--as_is", "a.json"])
    assert [call[0] for call in calls] == ["a", "a", "a", "a.json"]
    assert [call[1:] for call in calls] == [(2, True), (2, True), (-2, False), (1, True)]
    with pytest.raises(T3DError, match="--as_is is 'perhaps'; give True or False"):
        run(["two_words", "a", "--as_is=perhaps"])
    with pytest.raises(T3DError, match="--long_name is '1e3'; give a whole number"):
        run(["two_words", "a", "--long_name", "1e3"])


def test_help_says_what_the_docstring_says(capsys):
    with pytest.raises(SystemExit) as end:
        main(["prepare", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert end.value.code == 0
    assert "usage: t3d prepare DATALIST --out_dir OUT_DIR [options]" in shown
    assert "millimetres along right, anterior and superior" in shown and "(default: 0.75,0.75,1.5)" in shown


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
