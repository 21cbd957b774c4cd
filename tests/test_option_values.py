"""What each option takes: one row per kind of fault, on the table itself and on a real command line."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from bundle_runs import REPOSITORY, finish, finish_here
from pretrain_runs import command
from segmentation_runs import command as segmentation

from t3d.bundle.option_table import OPTIONS
from t3d.bundle.options import check_flags, cut_faults, value_faults
from t3d.errors import T3DError

CONFIGS = [
    file
    for file in sorted((REPOSITORY / "bundles").glob("*/configs/*.json"))
    if file.name != "metadata.json" and not file.name.startswith("labels_")
]
# what stands in a configuration as a value of its own and is no option
PARTS = {"imports", "initialize", "run", "finalize", "train", "validate", "displayable_configs", "dataset", "handlers"}
PARTS |= {"augmentation", "image_preprocessing", "window_padding", "recipe", "default_findings", "trt_args", "metrics"}

REFUSED = [
    ("spacing", 0, "three numbers above 0, in mm"),
    ("spacing", 8, "three numbers above 0, in mm"),
    ("spacing", (-8, 8, 8), "three numbers above 0, in mm"),
    ("spacing", [8, 8], "three numbers above 0, in mm"),
    ("spacing", "8 8 8", "three numbers above 0, in mm"),
    ("hu_range", [1000, -1000], "the lower one first"),
    ("hu_range", [0, 0], "the lower one first"),
    ("hu_range", 1000, "two numbers in HU"),
    ("orientation", "ras", "three capital letters"),
    ("orientation", "XYZ", "three capital letters"),
    ("orientation", "RLS", "three capital letters"),
    ("crop_size", [64, 64], "or three of them"),
    ("crop_size", 64.0, "a whole number of voxels"),
    ("crop_size", 0, "a whole number of voxels"),
    ("overlap", 50, "at least 0 and below 1 (share of a window"),
    ("overlap", 1, "below 1"),
    ("num_workers", -1, "a whole number of at least 0"),
    ("num_workers", None, "a whole number of at least 0"),
    ("sw_batch_size", 0, "a whole number of at least 1"),
    ("cache_rate", 100, "at most 1 (share of the cases"),
    ("amp_dtype", "float16", "'$torch.bfloat16' or"),
    ("device", "gpu", "such as cpu or cuda:0"),
    ("seed", "zero", "a whole number of at least 0"),
    ("max_epochs", 0, "a whole number of at least 1"),
    ("max_epochs", 3.0, "a whole number of at least 1"),
    ("max_epochs", True, "a whole number of at least 1"),
    ("steps_per_epoch", 0, "at least 1 or None"),
    ("batch_size", "4", "a whole number of at least 1"),
    ("accumulate", 0, "batches per step"),
    ("learning_rate", 0, "a number above 0"),
    ("learning_rate", "nan", "a number above 0"),
    ("learning_rate", float("nan"), "a number above 0"),
    ("learning_rate", float("inf"), "a number above 0"),
    ("weight_decay", -0.1, "a number of at least 0"),
    ("warmup_steps", 0.1, "a whole number of at least 0"),
    ("clip_norm", 0, "above 0 (largest norm of the gradients) or None"),
    ("dropout", 1, "below 1"),
    ("freeze_epochs", -1, "a whole number of at least 0"),
    ("layer_decay", 1.5, "above 0 and at most 1"),
    ("val_interval", 0, "epochs from one validation"),
    ("checkpoint_every", 0, "a whole number of at least 1"),
    ("keep_checkpoints", 1, "a whole number of at least 2"),
    ("log_every", 0, "a whole number of at least 1"),
    ("label_fraction", 0, "above 0 and at most 1"),
    ("label_fraction", 10, "share of the training patients"),
    ("validation_fraction", 0, "above 0 and at most 1 (share of the validation patients"),
    ("findings", "effusion", "a list of distinct names"),
    ("findings", ["effusion", "effusion"], "a list of distinct names"),
    ("lesion_classes", "tumour", "a list of distinct names"),
    ("flip_axes", 0, "a list of axes"),
    ("flip_axes", [3], "a list of axes"),
    ("feature_size", 21, "divisible by 2"),
    ("window_size", 0, "a whole number of at least 1"),
    ("view_overlap", 75, "at most 1"),
    ("corruption", 70, "share of voxels"),
    ("candidates", "images", "one of image, shared_report, own_report"),
    ("temperature", 0, "above 0 (0.07 to 0.1 are usual)"),
    ("alignment_weight", -1, "a number of at least 0"),
    ("text_encoder", 7, "a text encoder"),
    ("text_revision", 123456, "as text"),
    ("sentences", 0, "a share above 0"),
    ("sentences", "some", "a share above 0"),
    ("split", 1, "such as test"),
    ("output_dir", 20240101, "--output_dir ./20240101"),
    ("output_dir", None, "a path as text"),
    ("ckpt_dir", "runs::3", "# and :: have a meaning of their own"),
    ("dataset_dir", Path("x"), "a path as text"),
    ("use_text", "false", "write --use_text False (Python's words)"),
    ("use_text", "no", "write --use_text False (Python's words)"),
    ("amp", "off", "write --amp True or False"),
    ("amp", 2, "give True or False"),
    ("report_cache", None, "give True or False"),
]
TAKEN = {
    "spacing": [[0.75, 0.75, 1.5], (8, 8, 8), "$[1, 1, 1]", "@other", list(np.ones(3, np.float32))],
    "hu_range": [[-1000, 1000], (-175.0, 250.0)],
    "orientation": ["RAS", "LPS", "SAR"],
    "crop_size": [96, [96, 96, 64], (64, 64, 64), np.int64(96)],
    "overlap": [0, 0.99],
    "amp": [True, False, 1, 0, "$torch.cuda.is_available()"],
    "amp_dtype": [torch.float16, torch.bfloat16, "$torch.float16"],
    "device": ["cpu", "cuda:1", torch.device("cpu")],
    "steps_per_epoch": [None, 5],
    "clip_norm": [None, 1],
    "datalist_file": [None, "data/2024_01.json", "./20240101"],
    "findings": [None, ["a", "b"]],
    "lesion_classes": [[], ("tumour",)],
    "flip_axes": [[], [0, 2]],
    "sections": ["findings", ["findings", "impression"]],
    "sentences": ["all", 0.5, 1.0, 1, 12],
    "text_encoder": ["org/name", {"_target_": "somewhere"}],
    "view_overlap": [None, 0, 1],
}


@pytest.mark.parametrize(("name", "value", "words"), REFUSED, ids=lambda v: str(v)[:20])
def test_a_value_that_cannot_be_meant_is_one_sentence(name, value, words):
    (fault,) = value_faults({name: value})
    assert fault.startswith(f"--{name} is ") and words in fault
    assert repr(value) in fault and "\n" not in fault


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in TAKEN.items() for value in values])
def test_what_can_be_meant_is_taken(name, value):
    assert value_faults({name: value}) == []


def test_a_nested_place_of_an_option_is_checked_as_the_option():
    (fault,) = value_faults({"train": {"trainer": {"max_epochs": 0}}})
    assert fault.startswith("--train#trainer#max_epochs is 0; give a whole number of at least 1")
    (fault,) = value_faults({"displayable_configs": {"sw_batch_size": 0, "result_extension": ".nii.gz"}})
    assert fault.startswith("--displayable_configs#sw_batch_size is 0")


def test_a_path_that_a_comment_cuts_is_seen_in_the_command_line_itself():
    line = ["run", "--ckpt_dir", "a#b", "--dataset_dir=c#d", "--text_encoder", "x#y", "--train#handlers", "[]"]
    assert [fault.split(",")[0] for fault in cut_faults(line)] == ["--dataset_dir is 'c#d'", "--ckpt_dir is 'a#b'"]


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: f"{file.parts[-3]}-{file.stem}")
def test_every_value_of_a_configuration_is_an_option_that_takes_it(file):
    config = json.loads(file.read_text())
    assert value_faults(config) == []
    plain = {
        key
        for key, value in config.items()
        if not (isinstance(value, str) and value[:1] in "$@")
        and not isinstance(value, dict)
        and key.isidentifier()
        and not key.startswith("_")
    }
    assert {name for name in plain if not name.startswith("_")} - PARTS <= set(OPTIONS)


def test_the_table_has_no_option_that_no_configuration_has():
    known = {key for file in CONFIGS for key in json.loads(file.read_text())}
    assert set(OPTIONS) <= known


def test_run_lists_of_the_version_before_still_check_their_flags():
    check_flags(use_text=False, amp=True)
    with pytest.raises(T3DError, match="--use_text is the text 'false'.*write --use_text False"):
        check_flags(amp=True, use_text="false")
    with pytest.raises(T3DError, match="write --amp True or False"):
        check_flags(amp="off")


@pytest.mark.parametrize(
    ("line", "options", "words"),
    [
        (command, {"use_text": "false"}, "write --use_text False (Python's words)"),
        (command, {"spacing": "-8,8,8"}, "--spacing is (-8, 8, 8); give three numbers above 0, in mm"),
        (command, {"output_dir": "2024_01"}, "--output_dir is the number 202401; write a name of digits with its"),
        (segmentation, {"ckpt_dir": "a#b"}, "--ckpt_dir is 'a#b', but # and :: have a meaning of their own"),
        (segmentation, {"max_epochs": "0"}, "--max_epochs is 0; give a whole number of at least 1"),
    ],
    ids=lambda v: "" if callable(v) else str(v)[:20],
)
def test_on_the_command_line_it_ends_the_run_before_it_begins(tmp_path, line, options, words):
    # one of them as a process
    result = (finish if "use_text" in options else finish_here)(
        line(("train", "demo"), tmp_path / "none", tmp_path / "run", **options), tmp_path / "cwd"
    )
    assert result.returncode == 1
    assert result.stderr.strip().splitlines()[-1].startswith("error: --") and words in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "run").exists() and not any((tmp_path / "cwd").iterdir())
