import json
import logging
import weakref

import pytest
import torch
from ignite.engine import Events
from monai.data import Dataset
from monai.engines import SupervisedEvaluator
from monai.handlers import MeanDice, from_engine
from monai.transforms import Lambdad

from t3d.errors import T3DError
from t3d.infer.case_by_case import run_cases


def load(value):
    """Stands for a loader: a number is a volume of it, everything else fails in its own way."""
    if value == "damaged":
        raise T3DError("image x.nii.gz is damaged; copy it again.")
    if value == "odd":
        raise KeyError("spacing")
    if value == "memory":
        raise MemoryError
    return torch.full((1, 4, 4, 4), float(value))


def network(image):
    if image.max() == 13:
        raise RuntimeError("CUDA out of memory.\nTried to allocate")
    if image.max() == 14:
        raise MemoryError
    return image * 2


class Net(torch.nn.Module):
    def forward(self, image):
        return network(image)


class Record:
    """A handler that refuses some cases and says what it saw."""

    def __init__(self, refuse=()):
        self.events, self.cases, self.refuse = [], [], refuse

    def attach(self, engine):
        for name in ("STARTED", "EPOCH_STARTED", "EPOCH_COMPLETED", "COMPLETED"):
            engine.add_event_handler(Events[name], lambda engine, name=name: self.events.append(name))
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.case)
        engine.add_event_handler(Events.COMPLETED, self.end)

    def case(self, engine):
        case = engine.state.batch[0]["case_id"]
        if case in self.refuse:
            raise T3DError(f"case {case}: label and prediction lie on different grids.")
        self.cases.append((case, float(engine.state.output[0]["pred"].max())))

    def end(self, engine):
        self.failed = list(engine.state.failed_cases)


def evaluator(*handlers, **options) -> SupervisedEvaluator:
    return SupervisedEvaluator(
        device=torch.device("cpu"), val_data_loader=[], network=Net(), val_handlers=list(handlers), **options
    )


def dataset(*values, transform=None) -> Dataset:
    items = [{"case_id": f"k{n}", "image": value} for n, value in enumerate(values)]
    return Dataset(items, transform or Lambdad("image", load))


def cases_file(folder) -> dict:
    return json.loads((folder / "cases.json").read_text())


@pytest.mark.parametrize("workers", [0, 1])
def test_failures_everywhere_and_the_others_go_on(tmp_path, workers, caplog):
    record = Record(refuse=("k5",))
    caplog.set_level(logging.DEBUG, logger="t3d.infer.case_by_case")
    with pytest.raises(T3DError) as caught:
        run_cases(
            evaluator(record), dataset(1, "damaged", 2, "odd", 13, 5, 3), output_dir=tmp_path,
            dataloader_options={"num_workers": workers},
        )  # fmt: skip
    assert str(caught.value) == (
        "4 of 7 cases failed: see cases.json; first: case k1: image x.nii.gz is damaged; copy it again."
    )
    assert record.cases == [("k0", 2.0), ("k2", 4.0), ("k6", 6.0)]
    assert record.events == ["STARTED", "EPOCH_STARTED", "EPOCH_COMPLETED", "COMPLETED"]
    found = cases_file(tmp_path)
    assert found["done"] == ["k0", "k2", "k6"] and found["skipped"] == []
    assert found["failed"] == record.failed == [
        {"case_id": "k1", "error": "image x.nii.gz is damaged; copy it again."},
        {"case_id": "k3", "error": "KeyError: 'spacing'"},
        {"case_id": "k4", "error": "RuntimeError: CUDA out of memory."},
        {"case_id": "k5", "error": "case k5: label and prediction lie on different grids."},
    ]  # fmt: skip
    levels = {record.levelname: record.getMessage() for record in caplog.records}
    assert "3 cases done, 0 skipped, 4 failed" in levels["INFO"]
    assert levels["ERROR"] == "case k5: label and prediction lie on different grids."
    assert "Traceback" in levels["DEBUG"]


def test_all_well_is_silent_success(tmp_path):
    record = Record()
    run_cases(evaluator(record), dataset(1, 2), output_dir=tmp_path / "new", skipped=["k9"])
    assert cases_file(tmp_path / "new") == {"done": ["k0", "k1"], "skipped": ["k9"], "failed": []}
    assert record.failed == []


def test_same_metrics_as_evaluator_run(tmp_path):
    """ignite metrics and post-processing see what they see in MONAI's own loop."""

    def masks(item):
        image = (torch.arange(64).reshape(1, 4, 4, 4) < 10 * item["image"]).float()
        return {"case_id": item["case_id"], "image": image, "label": image.roll(5)}

    def build():
        metric = MeanDice(include_background=True, output_transform=from_engine(["pred", "label"]))
        return evaluator(key_val_metric={"dice": metric}, postprocessing=Lambdad("pred", lambda x: (x > 1).float()))

    data = dataset(1, 2, 3, transform=masks)
    ours, theirs = build(), build()
    run_cases(ours, data, output_dir=tmp_path)
    theirs.data_loader = torch.utils.data.DataLoader(data)
    theirs.state.epoch_length = 3
    theirs.run()
    assert 0 < ours.state.metrics["dice"] < 1
    assert ours.state.metrics == theirs.state.metrics
    assert ours.state.iteration == theirs.state.iteration == 3


def test_every_case_failed(tmp_path):
    record = Record()
    with pytest.raises(T3DError, match="2 of 2 cases failed"):
        run_cases(evaluator(record), dataset("odd", "damaged"), output_dir=tmp_path)
    assert record.cases == [] and record.events[-1] == "COMPLETED"


def test_nothing_to_do(tmp_path):
    record = Record()
    run_cases(evaluator(record), dataset(), output_dir=tmp_path, skipped=["a", "b"])
    assert record.events == [] and cases_file(tmp_path)["skipped"] == ["a", "b"]


@pytest.mark.parametrize("value", ["memory", 14], ids=["loading", "network"])
def test_memory_error_ends_the_run(tmp_path, value):
    with pytest.raises((MemoryError, RuntimeError)) as caught:
        run_cases(evaluator(Record()), dataset(1, value, 2), output_dir=tmp_path)
    chain, found = caught.value, []
    while chain is not None:
        found.append(type(chain))
        chain = chain.__cause__
    assert MemoryError in found
    assert not (tmp_path / "cases.json").exists()


def test_interrupt_ends_the_run(tmp_path):
    def stop(image):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_cases(evaluator(Record()), dataset(1, transform=stop), output_dir=tmp_path)


def test_error_of_a_handler_at_the_end_is_the_runs(tmp_path):
    """Writing the metrics is no case's fault."""

    def fail(engine):
        raise OSError("disk full")

    engine = evaluator()
    engine.add_event_handler(Events.COMPLETED, fail)
    with pytest.raises(OSError, match="disk full"):
        run_cases(engine, dataset(1), output_dir=tmp_path)


def test_termination_is_honoured(tmp_path):
    engine = evaluator()
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: engine.terminate())
    run_cases(engine, dataset(1, 2, 3), output_dir=tmp_path)
    assert cases_file(tmp_path)["done"] == ["k0"]


def test_one_volume_at_a_time(tmp_path):
    """While a case is loaded, nothing of the case before is in memory, also where that one failed."""
    alive, seen = [], []
    engine = evaluator()

    @engine.on(Events.ITERATION_STARTED)
    def remember(engine):
        alive.append(weakref.ref(engine.state.batch["image"]))

    @engine.on(Events.ITERATION_COMPLETED)
    def remember_result(engine):
        alive.append(weakref.ref(engine.state.output[0]["pred"]))

    def volume(item):
        seen.append([reference() is None for reference in alive])
        return {**item, "image": torch.full((1, 8, 8, 8), float(item["image"]))}

    with pytest.raises(T3DError, match="1 of 4 cases failed"):
        run_cases(engine, dataset(1, 13, 2, 3, transform=volume), output_dir=tmp_path)
    assert seen == [[], [True] * 2, [True] * 3, [True] * 5]


def test_checks_come_before_loading(tmp_path):
    loaded = []

    def check(item):
        if item["image"] == 2:
            raise T3DError("case k1: MR.")

    def transform(item):
        loaded.append(item["case_id"])
        return {**item, "image": load(item["image"])}

    with pytest.raises(T3DError, match="first: case k1: MR."):
        run_cases(evaluator(), dataset(1, 2, 3, transform=transform), output_dir=tmp_path, checks=(check,))
    assert loaded == ["k0", "k2"]


def test_dicom_folders_are_checked_by_default(tmp_path):
    pytest.importorskip("pydicom")
    (tmp_path / "series").mkdir()
    with pytest.raises(T3DError, match="case k0: DICOM folder series: has no DICOM image files"):
        run_cases(evaluator(), dataset(str(tmp_path / "series")), output_dir=tmp_path)
