"""What reads no text runs where transformers, and what comes with it, are not installed."""

import subprocess
import sys
from pathlib import Path

import classification_runs
import pretrain_runs
import pytest
import segmentation_runs
from bundle_runs import environment

ABSENT = "import sys\nfor name in ('transformers', 'tokenizers', 'huggingface_hub'):\n    sys.modules[name] = None\n"
WORKFLOW = """
from monai.bundle import ConfigWorkflow
workflow = ConfigWorkflow(config_file={files}, workflow_type={kind!r}, logging_file=False, **{options})
workflow.initialize()
workflow.run()
workflow.finalize()
"""
EVERY_MODULE = """
import importlib, pkgutil, t3d
names = [found.name for found in pkgutil.walk_packages(t3d.__path__, "t3d.") if not found.name.endswith("__main__")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""


def run(code: str, folder: Path) -> subprocess.CompletedProcess:
    line = [sys.executable, "-c", ABSENT + code]
    return subprocess.run(line, cwd=folder, env=environment(), capture_output=True, text=True, timeout=300)


def test_no_module_needs_them_to_be_imported(tmp_path):
    done = run(EVERY_MODULE, tmp_path)
    assert done.returncode == 0 and int(done.stdout) > 150, done.stderr


@pytest.mark.parametrize(
    ("runs", "data", "trained", "written"),
    [
        (segmentation_runs.RUNS, "few", "trained_segmentation", "*_pred.nii.gz"),
        (classification_runs.RUNS, "cohort", "trained_classification", "predictions.json"),
    ],
    ids=["segmentation", "classification"],
)
def test_inference_without_them(runs, data, trained, written, request, tmp_path):
    places = runs.places(request.getfixturevalue(data), request.getfixturevalue(trained))
    options = {**places, "output_dir": str(tmp_path / "out")}
    done = run(WORKFLOW.format(files=runs.config_files("inference"), kind="inference", options=options), tmp_path)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "out").glob(written))


def test_the_twin_without_text_is_trained_without_them(cohort, tmp_path):
    runs, names = pretrain_runs.RUNS, ("train", "demo", "vision_only")
    options = {**runs.places(cohort, tmp_path), **runs.tiny, "max_epochs": 1}
    done = run(WORKFLOW.format(files=runs.config_files(*names), kind="train", options=options), tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "models" / "encoder.json").is_file()


CALLS = """
from t3d.demo.tiny_bert import tiny_bert
from t3d.errors import T3DError
from t3d.networks.text_encoder import TextEncoder, load_tokenizer
for call in (
    lambda: TextEncoder("owner/model"),
    lambda: load_tokenizer({folder!r}),
    lambda: tiny_bert("made", ["no nodule"] * 3),
):
    try:
        call()
    except T3DError as error:
        print(error)
"""


def test_what_reads_text_says_what_to_install(tmp_path):
    for name in ("config.json", "vocab.txt"):
        (tmp_path / name).write_text("{}")
    done = run(CALLS.format(folder=str(tmp_path)), tmp_path)
    assert done.returncode == 0, done.stderr
    said = done.stdout.strip().splitlines()
    assert len(said) == 3
    assert all("text encoders need the package transformers" in line and "pip install" in line for line in said)
    assert not (tmp_path / "made").exists()
