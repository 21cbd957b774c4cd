"""The first line of every run: options that nothing reads are refused by name, whatever way they came in."""

import json

import pytest
from bundle_runs import REPOSITORY, finish, said
from classification_runs import RUNS as CLASSIFICATION
from monai.bundle import ConfigWorkflow
from pretrain_runs import RUNS as PRETRAIN
from segmentation_runs import RUNS as SEGMENTATION

from t3d.bundle.begin import begin, running_workflow
from t3d.bundle.unread import unread_faults

TRAIN = ("train", "evaluate", "demo", "multi_gpu_train", "few_shot", "from_scratch", "tumour", "linear_probe")
TRAIN += ("align", "vision_only")
INFERENCE = ("inference", "inference_onnx", "inference_trt", "zero_shot", "retrieval")
PAIRS = [
    (runs, pair)
    for runs in (PRETRAIN, SEGMENTATION, CLASSIFICATION)
    for overlays in (TRAIN, INFERENCE)
    for pair in [overlays[:1], *((overlays[0], overlay) for overlay in overlays[1:])]
    if (runs.bundle / "configs" / f"{pair[-1]}.json").is_file()
]
RUN_LISTS = [
    file for file in sorted(REPOSITORY.glob("bundles/*/configs/*.json")) if "run" in json.loads(file.read_text())
]


def workflow(runs, names, *, overlay=(), **options) -> ConfigWorkflow:
    """A workflow that is initialized and has not run, with an overlay of the user's own as the last file."""
    kind = "train" if names[0] == "train" else "inference"
    files = [*runs.config_files(*names), *map(str, overlay)]
    made = ConfigWorkflow(config_file=files, workflow_type=kind, logging_file=False, **options)
    made.parser.parse(reset=True)
    return made


def faults(made: ConfigWorkflow) -> list[str]:
    return unread_faults(made.parser.get(), made.config_root_path, {made.run_id})


@pytest.mark.parametrize("file", RUN_LISTS, ids=lambda file: f"{file.parts[-3]}-{file.stem}")
def test_every_run_begins_with_it(file):
    steps = json.loads(file.read_text())["run"]
    assert steps[0] == {"_target_": "t3d.bundle.begin.begin"}
    assert all("begin" not in str(step) and "console" not in str(step) for step in steps[1:])


@pytest.mark.parametrize(("runs", "names"), PAIRS, ids=lambda v: v.bundle.name if hasattr(v, "bundle") else v[-1])
def test_the_configurations_have_nothing_that_nothing_reads(runs, names):
    assert faults(workflow(runs, names)) == []


def test_a_misspelt_option_is_named_with_the_one_that_was_meant():
    made = workflow(PRETRAIN, ("train",), learning_rat=0.5, temprature=9, use_txt=False, run_ids="run", qqq=1)
    assert faults(made) == [
        "--learning_rat is no option, nothing reads it; did you mean --learning_rate?",
        "--temprature is no option, nothing reads it; did you mean --temperature?",
        "--use_txt is no option, nothing reads it; did you mean --use_text?",
        "--run_ids is no option, nothing reads it; did you mean --run_id?",
        "--qqq is no option, nothing reads it; see the top of the configuration file",
    ]


def test_an_option_of_another_run_is_refused_with_where_it_belongs():
    (fault,) = faults(workflow(SEGMENTATION, ("inference",), label_fraction=0.5))
    assert fault == "--label_fraction is an option of other runs, nothing in this one reads it; leave it out"


def test_what_the_classifier_takes_by_its_name_is_read_and_what_it_does_not_is_refused():
    assert faults(workflow(CLASSIFICATION, ("inference",), attention_width=64, body_share=0.1)) == []
    (fault,) = faults(workflow(CLASSIFICATION, ("inference",), attention_with=64))
    assert fault.endswith("did you mean --attention_width?")
    (fault,) = faults(workflow(CLASSIFICATION, ("inference",), dropout_rate=0.5))
    assert "nothing reads it" in fault


def test_an_option_that_an_overlay_put_out_of_use_is_refused_when_it_is_typed():
    assert faults(workflow(PRETRAIN, ("inference", "zero_shot"))) == []
    assert faults(workflow(CLASSIFICATION, ("inference", "inference_onnx"))) == []
    (fault,) = faults(workflow(CLASSIFICATION, ("inference", "inference_onnx"), attention_width=64))
    assert fault.startswith("--attention_width is an option of other runs")


def test_a_nested_override_that_nothing_reads_is_refused_too():
    options = {"train#trainer#max_epochs": 3, "validate#handlers": [], "train#dataset#data": []}
    assert faults(workflow(SEGMENTATION, ("train",), **options)) == []
    (fault,) = faults(workflow(SEGMENTATION, ("train",), **{"train#handlrs": []}))
    assert fault == "--train#handlrs is no option, nothing reads it; did you mean --train#handlers?"
    (fault,) = faults(workflow(SEGMENTATION, ("train",), **{"train#max_epochs": 3}))
    assert fault.endswith("did you mean --max_epochs?")
    with pytest.raises(KeyError, match="traner"):
        workflow(SEGMENTATION, ("train",), **{"train#traner#max_epochs": 3})


def test_helper_keys_of_a_users_overlay_are_read_where_they_are_referred_to(tmp_path):
    overlay = tmp_path / "mine.json"
    content = {
        "_comment": "ours",
        "my_rate": 0.001,
        "learning_rate": "$@my_rate / 2",
        "my_flips": [0, 1],
        "flip_axes": "%my_flips",
        "my_run": ["$None"],
    }
    overlay.write_text(json.dumps(content))
    made = workflow(CLASSIFICATION, ("train",), overlay=[overlay], run_id="my_run")
    assert faults(made) == []
    overlay.write_text(json.dumps({"my_rate": 0.001, "lerning_rate": "$1e-3"}))
    assert [fault.split(" ")[0] for fault in faults(workflow(PRETRAIN, ("train",), overlay=[overlay]))] == [
        "--my_rate",
        "--lerning_rate",
    ]


def test_what_monai_and_mlflow_read_is_taken(tmp_path):
    options = {"experiment_name": "e", "run_name": "r", "save_execute_config": False, "tracking": "mlflow"}
    assert faults(workflow(PRETRAIN, ("train",), **options)) == []
    assert faults(workflow(PRETRAIN, ("train",), experiment_name="e", displayable_configs={"a": 1})) == []


def test_a_run_in_python_ends_before_it_reads_or_makes_anything(tmp_path):
    with pytest.raises(RuntimeError) as caught:
        PRETRAIN.run(("train", "demo"), tmp_path / "none", tmp_path / "out", learning_rat=0.5, batch_size=0)
    assert said(caught) == (
        "options: 2 faults:\n  --learning_rat is no option, nothing reads it; did you mean --learning_rate?"
        "\n  --batch_size is 0; give a whole number of at least 1 (cases)"
    )
    assert not (tmp_path / "out").exists()


def test_outside_of_a_workflow_there_is_nothing_to_look_at():
    assert running_workflow() is None
    begin()


def test_a_misspelt_option_ends_a_command_with_status_1_and_nothing_is_made(tmp_path):
    options = {"learning_rat": 0.5, "temprature": 9, "use_txt": False}
    result = finish(
        PRETRAIN.command(("train", "demo"), tmp_path / "none", tmp_path / "run", **options), tmp_path / "cwd"
    )
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert "did you mean --learning_rate?" in result.stderr and "did you mean --use_text?" in result.stderr
    assert not (tmp_path / "run").exists() and not any((tmp_path / "cwd").iterdir())
