"""A whole study: its cells, then its table."""

import logging
from collections.abc import Iterable
from pathlib import Path

from t3d.errors import T3DError
from t3d.pack.packages import find_bundles
from t3d.study.comparison import Row, compare
from t3d.study.graph import Graph, Place, make_graph
from t3d.study.outcome import Outcome, read_outcome
from t3d.study.plan import ORACLE, SHUFFLED, Plan, read_plan
from t3d.study.report import TABLE, write_report
from t3d.study.run import CELLS, is_done, run_cells, share_of

logger = logging.getLogger(__name__)

_NEEDED = ("t3d_pretrain", "t3d_segmentation", "t3d_classification")


def run_study(
    plan: str,
    out_dir: Path,
    *,
    workers: int = 1,
    job: tuple[int, int] | None = None,
    bundles_dir: Path | None = None,
    dry_run: bool = False,
) -> list[str]:
    """Run a plan; see ``t3d.study.command.study``.

    Returns:
        One sentence for each cell without a result.

    Raises:
        T3DError: the plan or the bundles are not what they should be.
    """
    read = read_plan(plan)
    bundles = find_bundles(bundles_dir, _NEEDED)[0].parent.resolve()
    graph = make_graph(read, bundles)
    out_dir = out_dir.absolute()
    if any(mark in str(out_dir) for mark in ("#", "::", "$", "@", "%")):
        raise T3DError(
            f"out_dir {out_dir} has a character that means something else to MONAI's configurations; name another"
        )
    if dry_run:
        for cell in graph.cells.values():
            logger.info("%-5s %s (%s)", "done" if is_done(out_dir, cell.key) else "to do", cell.name, cell.key)
        return []
    mine = graph.cells if job is None else share_of(graph.cells, job)
    faults = run_cells(mine, out_dir, bundles=bundles, workers=workers)
    if job is None:
        write_table(read, graph, out_dir)
        logger.info("table in %s", out_dir / TABLE)
    return [f"{graph.cells[key].name}: {fault}" for key, fault in faults.items()]


def write_table(plan: Plan, graph: Graph, out_dir: Path) -> None:
    """Compare what is done and write the three files."""
    rows: list[Row] = []
    notes: dict[str, None] = {}
    for task, labels in dict.fromkeys((place.task, place.labels) for place in graph.places):
        places = [place for place in graph.places if (place.task, place.labels) == (task, labels)]
        what = task if labels is None else f"{task} with {labels} labels"
        done = [place for place in places if is_done(out_dir, place.key)]
        missing = [f"{place.arm} seed {place.seed}" for place in places if place not in done]
        if missing:
            notes[f"{what}: no result of {', '.join(missing)}"] = None
        outcomes = _outcomes(done, out_dir)
        if not outcomes:
            continue
        compared = compare(
            task,
            labels,
            outcomes,
            reference=plan.reference,
            shuffled=plan.of_kind(SHUFFLED),
            oracle=plan.of_kind(ORACLE),
            least_positives=plan.least_positives,
            resamples=plan.resamples,
        )
        rows += compared.rows
        if compared.left_out:
            few = f"fewer than {plan.least_positives} positives in the test list"
            notes[f"{task}: left out for {few}: {', '.join(compared.left_out)}"] = None
    seeds = f"{len(plan.seeds)} seed{'s' if len(plan.seeds) > 1 else ''}"
    notes[f"{seeds}; {plan.resamples} resamples of the test patients, the same for all arms and seeds"] = None
    write_report(out_dir, rows, arms=list(plan.arms), reference=plan.reference, notes=list(notes))


def _outcomes(places: Iterable[Place], out_dir: Path) -> dict[str, dict[int, Outcome]]:
    found: dict[str, dict[int, Outcome]] = {}
    for place in places:
        found.setdefault(place.arm, {})[place.seed] = read_outcome(out_dir / CELLS / place.key)
    return found
