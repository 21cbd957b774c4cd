"""Runs of a bundle as a user starts them, in this process or as a command line, at a size for tests."""

import io
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigWorkflow

from t3d.errors import plain_message

REPOSITORY = Path(__file__).resolve().parents[1]


class BundleRuns:
    """One bundle of this repository and the overrides that make its training tiny."""

    def __init__(self, name: str, tiny: dict) -> None:
        self.bundle = REPOSITORY / "bundles" / name
        self.tiny = tiny

    def config_files(self, *names: str) -> list[str]:
        return [str(self.bundle / "configs" / f"{name}.json") for name in names]

    def places(self, cohort: Path, folder: Path) -> dict:
        return {
            "bundle_root": str(self.bundle),
            "dataset_dir": str(cohort),
            "ckpt_dir": str(folder / "models"),
            "output_dir": str(folder / "eval"),
        }

    def run(self, names: tuple[str, ...], cohort: Path, folder: Path, **options) -> ConfigWorkflow:
        """Train or evaluate in this process and return the workflow, whose parts can be looked at."""
        return self._run(names, "train", {**self.places(cohort, folder), **self.tiny, **options})

    def fault(self, names: tuple[str, ...], cohort: Path, folder: Path, **options) -> str:
        """What a run says that must fail."""
        with pytest.raises(Exception) as caught:  # noqa: B017 - MONAI wraps it; its words are what is tested
            self.run(names, cohort, folder, **options)
        return said(caught)

    def infer(
        self, cohort: Path, folder: Path, *, names: tuple[str, ...] = ("inference",), **options
    ) -> ConfigWorkflow:
        """Run inference.json in this process, with overlays where ``names`` has more."""
        return self._run(names, "inference", {**self.places(cohort, folder), **options})

    def command(
        self, names: tuple[str, ...], cohort: Path, folder: Path, *, launcher: tuple[str, ...] = (), **options
    ):
        """The command line of the same run, for a process of its own."""
        line = [sys.executable, *(("-m", *launcher) if launcher else ()), "-m", "monai.bundle", "run"]
        line += ["--config_file", str(self.config_files(*names))]
        tiny = self.tiny if names[0] == "train" else {}
        for key, value in {**self.places(cohort, folder), **tiny, **options}.items():
            line += [f"--{key}", str(value)]
        return line

    def _run(self, names: tuple[str, ...], kind: str, options: dict) -> ConfigWorkflow:
        files = self.config_files(*names)
        workflow = ConfigWorkflow(config_file=files, workflow_type=kind, logging_file=False, **options)
        workflow.initialize()
        workflow.run()
        workflow.finalize()
        return workflow


def said(caught: pytest.ExceptionInfo) -> str:
    """The one sentence of a failed run."""
    message = plain_message(caught.value)
    assert message, caught.value
    return message


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}


def finish(line: list[str], folder: Path) -> subprocess.CompletedProcess:
    """Run a command line from another working directory and return what it said."""
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.run(line, cwd=folder, env=environment(), capture_output=True, text=True, timeout=300)


def finish_here(line: list[str], folder: Path) -> subprocess.CompletedProcess:
    """``finish`` in this process, where the process itself is not what is tested: it takes seconds for its imports.

    What loggers say is not caught.
    """
    module, arguments = line[2], line[3:]
    if module == "monai.bundle":
        arguments = [*arguments, "--logging_file", "False"]  # it is for the whole process
    folder.mkdir(parents=True, exist_ok=True)
    out, err, status = io.StringIO(), io.StringIO(), 0
    here, hook, argv = os.getcwd(), sys.excepthook, sys.argv
    os.chdir(folder)
    sys.excepthook, sys.argv = sys.__excepthook__, [module, *arguments]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            try:
                runpy.run_module(module, run_name="__main__")
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else int(end.code is not None)
            except Exception as error:  # as at the top of a process
                sys.excepthook(type(error), error, error.__traceback__)
                status = 1
    finally:
        sys.excepthook, sys.argv = hook, argv
        os.chdir(here)
    return subprocess.CompletedProcess(line, status, out.getvalue(), err.getvalue())


def kill_when(line: list[str], folder: Path, there: Path) -> None:
    """Start a run and send SIGKILL as soon as a file is there."""
    folder.mkdir(parents=True)
    process = subprocess.Popen(
        line, cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    )
    deadline = time.monotonic() + 200
    while not there.exists():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()


def weights(folder: Path, name: str = "model.pt") -> dict:
    """Weights that a run left."""
    return torch.load(folder / "models" / name, weights_only=True)


@contextmanager
def one_thread() -> Iterator[None]:
    """As in a process of ``environment``: another number of threads rounds otherwise, and Adam makes steps of it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def same_after_a_kill(undisturbed: Callable[[Path], object], other: list[str], folder: Path) -> tuple[Path, Path]:
    """Train undisturbed in this process, kill and repeat the other as processes, and return the two folders."""
    whole, broken = folder / "whole", folder / "broken"
    with one_thread():
        undisturbed(whole)
    kill_when(other, broken, broken / "models" / "checkpoint_epoch=1.pt")
    assert not (broken / "models" / "model.pt").exists(), "killed too late to show anything"
    result = finish(other, broken)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "going on from" in result.stdout + result.stderr
    return whole, broken


def assert_same_weights(one: dict, other: dict, *, atol: float = 1e-6) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert torch.allclose(one[name], other[name], rtol=0, atol=atol), name
