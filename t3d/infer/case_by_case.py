"""A MONAI evaluator over a dataset, one case at a time: a case that fails is named and the others go on."""

import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch.utils.data
from ignite.engine import Engine, Events
from monai.data import DataLoader, Dataset, list_data_collate

from t3d.errors import T3DError, plain_message
from t3d.files import write_json
from t3d.volume.dicom_series import check_item

logger = logging.getLogger(__name__)


def run_cases(
    evaluator: Engine,
    dataset: Dataset,
    *,
    output_dir: str | Path,
    dataloader_options: Mapping | None = None,
    checks: Sequence[Callable[[dict], object]] = (check_item,),
    skipped: Sequence[str] = (),
) -> None:
    """Run an evaluator over a dataset; an exception stops one case, not the run.

    The evaluator's own data loader is not used. Its handlers see STARTED, EPOCH_STARTED, for every case
    ITERATION_STARTED and ITERATION_COMPLETED, then EPOCH_COMPLETED and COMPLETED once, over the cases that went
    well. Where loading, network, post-processing or a handler fails, the remaining steps of that case are left
    out: put handlers that count a case after those that may refuse it. Handlers at COMPLETED ask ``failed_cases``
    for the failures. MemoryError and KeyboardInterrupt end the run; a CUDA out-of-memory error
    is the failure of its case. For one process; every process of a distributed run would do all cases.

    ``output_dir/cases.json`` then holds ``{"done": [case_id], "skipped": [case_id], "failed": [{"case_id",
    "error"}]}`` of this run.

    Args:
        evaluator: a MONAI ``SupervisedEvaluator`` (any ignite engine whose step takes a batch of one case).
        dataset: with ``dataset[i]`` and ``dataset.data[i]``, the item before loading, which has ``case_id``.
            A ``CacheDataset`` loads when it is made, before failures can be caught: use ``Dataset``.
        output_dir: folder of ``cases.json``.
        dataloader_options: of MONAI's ``DataLoader``, such as ``{"num_workers": 2}``.
        checks: called with each item before it is loaded; raise to refuse the case. By default DICOM folders
            are checked.
        skipped: case ids that the caller left out because their results exist; only recorded.

    Raises:
        T3DError: after all cases and all handlers, when at least one case failed.
    """
    guarded = _GuardedDataset(dataset, checks)
    loader = DataLoader(guarded, **{"batch_size": 1, **(dataloader_options or {}), "collate_fn": _collate})
    done: list[str] = []
    failed: list[dict[str, str]] = []
    if guarded.names:
        _run(evaluator, loader, guarded.names, done, failed)
    content = {"done": done, "skipped": [str(case) for case in skipped], "failed": failed}
    file = Path(output_dir) / "cases.json"
    write_json(file, content)
    logger.info("%d cases done, %d skipped, %d failed; see %s", len(done), len(skipped), len(failed), file)
    if failed:
        raise T3DError(
            f"{len(failed)} of {len(guarded.names)} cases failed: see {file.name}; first: {_sentence(failed[0])}"
        )


def failed_cases(engine: Engine) -> list[dict[str, str]]:
    """The cases that failed in the run an engine is in, each ``{"case_id", "error"}``; none in another kind of run.

    They are kept on the engine: run and handlers meet nowhere else.
    """
    return list(getattr(engine.state, "failed_cases", []))


def _run(evaluator: Engine, loader: DataLoader, names: list[str], done: list[str], failed: list[dict]) -> None:
    """Fire an epoch's events in ignite's order, with every case inside its own try.

    ignite's loop ends an epoch at the first exception, so it cannot be used for this.
    """
    state = evaluator.state
    state.max_epochs, state.epoch, state.iteration, state.epoch_length = 1, 0, 0, len(names)
    state.failed_cases = failed
    evaluator.should_terminate = False
    evaluator.fire_event(Events.STARTED)
    state.epoch = 1
    evaluator.fire_event(Events.EPOCH_STARTED)
    batches = iter(loader)
    for case in names:
        batch = next(batches)
        failure = batch if isinstance(batch, _Failure) else _one_case(evaluator, batch)
        state.batch = state.output = batch = None  # a whole volume, not needed while the next one loads
        if failure is None:
            done.append(case)
        else:
            failed.append({"case_id": case, "error": failure.error})
            logger.error(_sentence(failed[-1]))
            logger.debug("case %s:\n%s", case, failure.trace)
        if evaluator.should_terminate:
            break
    evaluator.fire_event(Events.EPOCH_COMPLETED)
    evaluator.fire_event(Events.COMPLETED)


def _one_case(evaluator: Engine, batch: Any) -> "_Failure | None":
    state = evaluator.state
    state.batch, state.output = batch, None
    state.iteration += 1
    try:
        evaluator.fire_event(Events.ITERATION_STARTED)
        state.output = evaluator._process_function(evaluator, batch)
        evaluator.fire_event(Events.ITERATION_COMPLETED)
    except Exception as error:
        return _Failure.of(error)
    return None


@dataclass
class _Failure:
    """An exception as text: the live one would keep the case's tensors, and may not travel between processes."""

    error: str
    trace: str

    @classmethod
    def of(cls, error: Exception) -> "_Failure":
        """The failure, unless memory ran out: that is raised again."""
        root: BaseException = error
        while not isinstance(root, MemoryError) and root.__cause__ is not None:
            root = root.__cause__  # MONAI wraps what a transform raises in "applying transform .."
        if isinstance(root, MemoryError):
            raise error
        lines = str(root).strip().splitlines()
        plain = plain_message(error) or f"{type(root).__name__}: {lines[0][:200] if lines else 'no details'}"
        return cls(plain, "".join(traceback.format_exception(error)))


class _GuardedDataset(torch.utils.data.Dataset):
    """The dataset with a ``_Failure`` in place of an item that cannot be loaded."""

    def __init__(self, dataset: Dataset, checks: Sequence[Callable[[dict], object]]) -> None:
        self.dataset = dataset
        self.checks = tuple(checks)
        self.names = [str(item["case_id"]) for item in dataset.data]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Any:
        try:
            for check in self.checks:
                check(self.dataset.data[index])
            return self.dataset[index]
        except Exception as error:
            return _Failure.of(error)


def _collate(batch: list) -> Any:
    return batch[0] if isinstance(batch[0], _Failure) else list_data_collate(batch)


def _sentence(failure: Mapping[str, str]) -> str:
    start = f"case {failure['case_id']}"
    return failure["error"] if failure["error"].startswith(start) else f"{start}: {failure['error']}"
