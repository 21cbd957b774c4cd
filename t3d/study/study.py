"""A whole study: its cells, then its table."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from t3d.errors import T3DError
from t3d.pack.packages import find_bundles
from t3d.study.brought import with_cohort, with_encoders
from t3d.study.cohort import sizes_of
from t3d.study.comparison import GAP, Compared, Row, compare
from t3d.study.graph import COHORT, Graph, Place, make_graph
from t3d.study.guards import same_numbers
from t3d.study.outcome import FROC, SCORES, Outcome, read_outcomes, tells_arms_apart
from t3d.study.plan import ORACLE, Plan, read_plan
from t3d.study.published_numbers import beside
from t3d.study.report import BY_SIZE, TABLE, write_report
from t3d.study.run import CELLS, is_done, run_cells, share_of
from t3d.study.segmentation_outcomes import KINDS_OF
from t3d.study.size_classes import CLASSES, lesion_size_classes, size_classes

logger = logging.getLogger(__name__)

_SIZES = {
    SCORES: "small and large: positives whose largest lesion lies below or above the median of their finding, against "
    "all cases without it",
    FROC: "small and large lesions: below or above the median volume of their class; false positives count for both",
}
_NEEDED = ("t3d_pretrain", "t3d_segmentation", "t3d_classification")


def run_study(
    plan: str,
    out_dir: Path,
    *,
    workers: int = 1,
    job: tuple[int, int] | None = None,
    bundles_dir: Path | None = None,
    cohort_dir: str | None = None,
    encoder: str | None = None,
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
    out_dir = out_dir.absolute()
    if any(mark in str(out_dir) for mark in ("#", "::", "$", "@", "%")):
        raise T3DError(
            f"out_dir {out_dir} has a character that means something else to MONAI's configurations; name another"
        )
    read = with_encoders(read, encoder)
    read, about = with_cohort(read, cohort_dir, out_dir / COHORT)
    graph = make_graph(read, bundles)
    if dry_run:
        for cell in graph.cells.values():
            logger.info("%-5s %s (%s)", "done" if is_done(out_dir, cell.key) else "to do", cell.name, cell.key)
        kinds = Counter(cell.kind.replace("_", " ") for cell in graph.cells.values())
        logger.info("%d cells: %s", len(graph.cells), ", ".join(f"{n} {kind}" for kind, n in kinds.items()))
        return []
    mine = graph.cells if job is None else share_of(graph.cells, job)
    faults = run_cells(mine, out_dir, bundles=bundles, workers=workers)
    if job is None:
        write_table(read, graph, out_dir, about)
        logger.info("table in %s", out_dir / TABLE)
    return [f"{graph.cells[key].name}: {fault}" for key, fault in faults.items()]


def write_table(plan: Plan, graph: Graph, out_dir: Path, about: Sequence[str] = ()) -> None:
    """Compare what is done and write the three files; ``about`` are notes on the cohort."""
    rows: list[Row] = []
    notes: dict[str, None] = dict.fromkeys(about)
    cohort = next(cell.key for cell in graph.cells.values() if cell.kind == COHORT)
    sizes = sizes_of(out_dir / CELLS / cohort)
    for task, labels in dict.fromkeys((place.task, place.labels) for place in graph.places):
        places = [place for place in graph.places if (place.task, place.labels) == (task, labels)]
        what = task if labels is None else f"{task} with {labels} labels"
        done = [place for place in places if is_done(out_dir, place.key)]
        missing = [f"{place.arm} seed {place.seed}" for place in places if place not in done]
        if missing:
            notes[f"{what}: no result of {', '.join(missing)}"] = None
        for kind, outcomes in _outcomes(done, out_dir).items():
            if kind not in KINDS_OF.get(task, [kind]):
                continue  # tasks may share a cell
            compared = _compared(plan, task, labels, outcomes)
            if tells_arms_apart(kind):
                notes |= dict.fromkeys(f"{task}: {said}" for said in same_numbers(outcomes))
            rows += compared.rows
            if compared.left_out:
                few = f"fewer than {plan.least_positives} positives in the test list"
                notes[f"{task}: left out for {few}: {', '.join(compared.left_out)}"] = None
            if kind == FROC or (kind == SCORES and sizes):
                rows += _by_size(plan, task, labels, outcomes, sizes)
                notes[_SIZES[kind]] = None
    fewer = {name: arm.seeds for name, arm in plan.arms.items() if set(arm.seeds) != set(plan.seeds)}
    for name, own in fewer.items():
        notes[f"{name}: only seed {', '.join(map(str, own))}; its differences are of that"] = None
    seeds = f"{len(plan.seeds)} seed{'s' if len(plan.seeds) > 1 else ''}"
    notes[f"{seeds}; {plan.resamples} resamples of the test patients, the same for all arms and seeds"] = None
    published = [] if plan.benchmark is None else beside(plan.benchmark, rows, arms=list(plan.arms))
    write_report(out_dir, rows, arms=list(plan.arms), reference=plan.reference, notes=list(notes), published=published)


def _compared(plan: Plan, task: str, labels: int | str | None, outcomes: dict[str, dict[int, Outcome]]) -> Compared:
    return compare(
        task,
        labels,
        outcomes,
        reference=plan.reference,
        controls=plan.controls(),
        oracle=plan.of_kind(ORACLE),
        least_positives=plan.least_positives,
        resamples=plan.resamples,
    )


def _by_size(
    plan: Plan,
    task: str,
    labels: int | str | None,
    outcomes: dict[str, dict[int, Outcome]],
    sizes: dict[str, dict[str, float]],
) -> list[Row]:
    """Tasks of their own by size class; precision is left out, since a class halves the prevalence."""

    def classes_of(one: Outcome) -> dict[str, Outcome]:
        return lesion_size_classes(one) if one.kind == FROC else size_classes(one, sizes)

    split = {arm: {seed: classes_of(one) for seed, one in seeds.items()} for arm, seeds in outcomes.items()}
    rows: list[Row] = []
    for name in CLASSES:
        mine = {arm: {seed: classes[name] for seed, classes in seeds.items()} for arm, seeds in split.items()}
        found = _compared(plan, f"{task}{BY_SIZE}{name}", labels, mine).rows
        rows += [row for row in found if row.metric not in ("ap", "skill") and GAP not in row.metric]
    return rows


def _outcomes(places: Iterable[Place], out_dir: Path) -> dict[str, dict[str, dict[int, Outcome]]]:
    """Kind -> arm -> seed -> outcome."""
    found: dict[str, dict[str, dict[int, Outcome]]] = {}
    for place in places:
        for one in read_outcomes(out_dir / CELLS / place.key):
            seeds = found.setdefault(one.kind, {}).setdefault(place.arm, {})
            seeds[place.seed] = seeds[place.seed].joined(one) if place.seed in seeds else one  # folds
    return found
