import json
from pathlib import Path

import pytest
from bundle_runs import finish
from pretrain_runs import command

from t3d.bundle.options import check_flags
from t3d.errors import T3DError
from t3d.flag import flag


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (True, True),
        (False, False),
        ("true", True),
        ("false", False),
        ("False", False),
        ("no", False),
        (1, True),
        (0, False),
    ],
)
def test_words_for_yes_and_no(typed, meant):
    assert flag("x", typed) is meant


@pytest.mark.parametrize("typed", ["", "perhaps", 2, None, [True]])
def test_anything_else_is_refused(typed):
    with pytest.raises(T3DError, match="--x is .*; give True or False"):
        flag("x", typed)


def test_text_in_place_of_yes_or_no_is_refused_with_the_word_to_write():
    check_flags(use_text=False, amp=True)
    with pytest.raises(T3DError, match="--use_text is the text 'false'.*write --use_text False"):
        check_flags(amp=True, use_text="false")
    with pytest.raises(T3DError, match="write --amp True or False"):
        check_flags(amp="off")


BUNDLES = Path(__file__).resolve().parents[1] / "bundles"
PARENTS = {
    "train": (),
    "inference": (),
    "evaluate": ("train",),
    "zero_shot": ("inference",),
    "retrieval": ("inference",),
}


@pytest.mark.parametrize(
    "file", sorted(BUNDLES.glob("*/configs/*.json")), ids=lambda file: f"{file.parts[-3]}-{file.stem}"
)
def test_every_configuration_that_runs_checks_all_its_flags(file):
    config = json.loads(file.read_text())
    if "run" not in config:
        return
    read = {name: json.loads(file.with_name(f"{name}.json").read_text()) for name in PARENTS[file.stem]}
    scalars = {key: value for parent in (*read.values(), config) for key, value in parent.items()}
    # two defaults are found out: a GPU, or labels that came from MONAI Label
    found_out = ("amp", "allow_absent_classes")
    flags = {key for key, value in scalars.items() if isinstance(value, bool) or key in found_out}
    checked = next(step for step in config["run"] if step["_target_"] == "t3d.bundle.options.check_flags")
    assert flags == checked.keys() - {"_target_"}
    assert all(checked[name] == f"@{name}" for name in flags)


def test_a_word_of_json_on_the_command_line_ends_a_run_before_it_begins(cohort, tmp_path):
    result = finish(command(("train", "demo"), cohort, tmp_path, use_text="false"), tmp_path)
    assert result.returncode == 1
    assert result.stderr.strip().endswith("write --use_text False (Python's words)")
    assert not (tmp_path / "models").exists()
