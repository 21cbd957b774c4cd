import logging
import subprocess
import sys
import textwrap

import pytest
import torch
from monai.engines import SupervisedTrainer
from monai.handlers import StatsHandler
from monai.transforms import Compose, Lambda
from torch.utils.data import DataLoader

from t3d.bundle.console import plain_errors
from t3d.errors import T3DError, plain_message

WORDS = "case a: voxel size 0; mend it."


def fail(_):
    raise T3DError(WORDS)


def caught(call):
    with pytest.raises(Exception) as info:  # noqa: B017, PT011 - any kind may wrap the error
        call()
    return info.value


class Failing:
    """Data set whose items raise a T3DError, plainly or wrapped by MONAI."""

    def __init__(self, wrapped):
        self.transform = Compose([Lambda(fail)]) if wrapped else fail

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self.transform(index)


def test_plain_and_chained():
    assert plain_message(T3DError(WORDS)) == WORDS
    assert plain_message(caught(lambda: Compose([Lambda(fail)])(0))) == WORDS


def test_context_counts_unless_suppressed():
    def during(suppress):
        try:
            fail(0)
        except T3DError:
            if suppress:
                raise KeyError("later") from None
            raise KeyError("later")  # noqa: B904 - the context is what is tested

    assert plain_message(caught(lambda: during(False))) == WORDS
    assert plain_message(caught(lambda: during(True))) is None


def test_other_errors_have_no_plain_message():
    assert plain_message(ValueError("a")) is None
    assert plain_message(None) is None
    looped = ValueError("a")
    looped.__cause__ = looped
    assert plain_message(looped) is None


@pytest.mark.parametrize("wrapped", [False, True])
def test_worker_errors(wrapped):
    error = caught(lambda: list(DataLoader(Failing(wrapped), num_workers=1)))
    assert "Traceback" in str(error)
    assert plain_message(error) == WORDS


def test_several_lines_survive():
    error = T3DError("datalist.json: 2 faults:\n  case a: x\n  case b: y")
    text = f"Caught RuntimeError in worker 0.\nt3d.errors.T3DError: {error}"
    text += "\n\nThe above exception was the direct cause of the following exception:\n\nmore"
    assert plain_message(RuntimeError(text)) == str(error)


def run(code):
    return subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120)


def test_hook_prints_one_sentence_and_status_1():
    done = run("""
        from t3d.bundle.console import plain_errors
        from t3d.errors import T3DError
        plain_errors()
        plain_errors()
        try:
            raise T3DError("case a: wrong; mend it.")
        except T3DError as error:
            raise RuntimeError("applying transform") from error
    """)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "error: case a: wrong; mend it.\n")


def test_hook_keeps_other_tracebacks():
    done = run("""
        from t3d.bundle.console import plain_errors
        plain_errors()
        {}["lost"]
    """)
    assert done.returncode == 1 and "Traceback" in done.stderr and "KeyError: 'lost'" in done.stderr


@pytest.fixture
def installed(monkeypatch):
    """plain_errors for one test only."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    factory = logging.getLogRecordFactory()
    plain_errors()
    yield
    logging.setLogRecordFactory(factory)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("wrapped", [False, True])
def test_no_traceback_from_a_training_run(installed, caplog, capsys, workers, wrapped):
    network = torch.nn.Linear(1, 1)
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=1,
        train_data_loader=DataLoader(Failing(wrapped), num_workers=workers),
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), 0.1),
        loss_function=torch.nn.MSELoss(),
        train_handlers=[StatsHandler(name="train_log")],
    )
    error = caught(trainer.run)
    sys.excepthook(type(error), error, error.__traceback__)
    assert capsys.readouterr().err.endswith(f"error: {WORDS}\n")
    assert any(record.levelno == logging.ERROR and WORDS in record.getMessage() for record in caplog.records)
    assert "Traceback" not in caplog.text


def test_other_records_stay_as_they_are(installed, caplog):
    try:
        {}["lost"]
    except KeyError:
        logging.getLogger("any").exception("while %s", "looking")
    assert "while looking" in caplog.text and "KeyError: 'lost'" in caplog.text
