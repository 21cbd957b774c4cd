"""Cases of a cohort side by side, as processes of this machine."""

import concurrent.futures
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from t3d.errors import T3DError


def each(function: Callable[..., Any], calls: Iterable[tuple], *, workers: int) -> Iterator[None]:
    """Call a function of a module with each tuple of arguments; yields once for every call that ended.

    Args:
        function: of a module, so that another process finds it.
        calls: arguments that can be pickled; their order does not decide what is written.
        workers: processes; 1 calls it in this one.

    Raises:
        T3DError: workers below 1, or a process died. What a call raises comes through.
    """
    if workers < 1:
        raise T3DError(f"workers is {workers}; set it to 1 or more")
    if workers == 1:
        for arguments in calls:
            function(*arguments)
            yield
        return
    # no fork: the caller may hold threads of torch, whose locks a copy would keep closed for ever
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as executor:
        waiting = [executor.submit(function, *arguments) for arguments in calls]
        try:
            for future in concurrent.futures.as_completed(waiting):
                future.result()
                yield
        except concurrent.futures.BrokenExecutor as error:
            raise T3DError(
                "a worker process died, most often because memory ran out; what is written is kept: run again with "
                "fewer --workers"
            ) from error
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
