"""Cases side by side: processes of this machine, or the workers of a Dask cluster."""

import concurrent.futures
import contextlib
import multiprocessing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from t3d.errors import T3DError, plain_message
from t3d.prepare.case import prepare_case

Result = tuple[str, dict[str, Any] | None, str | None]
# Enough to keep every worker busy without 25,000 cases on their way at once.
_AHEAD = 4
_CONNECT = "20s"


def run_cases(
    items: Iterable[Mapping[str, Any]], options: Mapping[str, Any], *, workers: int, scheduler: str | None
) -> Iterator[Result]:
    """Prepare cases and yield (case id, record, None) or (case id, None, fault), in the order in which they end.

    Raises:
        T3DError: workers below 1; a worker died (out of memory?); Dask is not installed or not reached.
    """
    if workers < 1:
        raise T3DError(f"workers is {workers}; set it to 1 or more")
    items = [_needed(item) for item in items]
    if scheduler is None and (workers == 1 or len(items) < 2):
        yield from (_one(item, options) for item in items)
        return
    with _executor(min(workers, len(items)), scheduler) as (executor, width):
        waiting, ahead = set(), iter(items)
        try:
            while True:
                for item in ahead:
                    waiting.add(executor.submit(_one, item, options))
                    if len(waiting) >= _AHEAD * width:
                        break
                if not waiting:
                    return
                ended, waiting = concurrent.futures.wait(waiting, return_when=concurrent.futures.FIRST_COMPLETED)
                yield from (future.result() for future in ended)
        except concurrent.futures.BrokenExecutor as error:
            raise T3DError(
                "a worker process died, most often because memory ran out; what is prepared is kept: run again with "
                "fewer --workers"
            ) from error


def _needed(item: Mapping[str, Any]) -> dict[str, Any]:
    """Reports stay in this process."""
    return {key: item[key] for key in ("case_id", "image", "label") if item.get(key)}


def _one(item: Mapping[str, Any], options: Mapping[str, Any]) -> Result:
    case = item["case_id"]
    try:
        return case, prepare_case(item, **options), None
    except (
        T3DError,
        OSError,
        ValueError,
        ArithmeticError,
        MemoryError,
        RuntimeError,
        LookupError,
        TypeError,
    ) as error:
        known = plain_message(error)
        return case, None, known or f"{type(error).__name__}: {str(error)[:200]}; check or remove the case"


@contextlib.contextmanager
def _executor(workers: int, scheduler: str | None) -> Iterator[tuple[Any, int]]:
    if scheduler is None:
        with concurrent.futures.ProcessPoolExecutor(workers, mp_context=_context()) as executor:
            yield executor, workers
        return
    try:
        from dask.distributed import Client
    except ImportError as error:
        raise T3DError("--scheduler needs Dask; run: pip install 'distributed>=2023.1'") from error
    try:
        client = Client(scheduler, timeout=_CONNECT)
    except (OSError, ValueError, TimeoutError) as error:
        raise T3DError(
            f"no Dask scheduler answers at {scheduler} ({type(error).__name__}); check --scheduler"
        ) from error
    with client:
        threads = sum(client.nthreads().values())
        if not threads:
            raise T3DError(f"the Dask scheduler at {scheduler} has no workers; start some")
        with client.get_executor(pure=False) as executor:
            yield executor, threads


def _context() -> multiprocessing.context.BaseContext:
    """How worker processes begin. A fork of this process would carry the threads' locks of torch and blosc2 along.

    A fork server imports MONAI once, which takes seconds, and its workers begin with that; where the system has
    none (Windows), every worker imports it for itself.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([prepare_case.__module__])
    return context
