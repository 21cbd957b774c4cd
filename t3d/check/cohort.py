"""Goes through a cohort case by case and collects what is to be said."""

import logging
import multiprocessing
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from t3d.check.case import CaseFacts, look_at_case
from t3d.check.remark import Remark
from t3d.check.reports import ReportBook
from t3d.check.sheet import Sheet
from t3d.check.tables import Tables
from t3d.data.datalist import SPLITS, read_datalist, resolve_items
from t3d.data.datalist_checks import duplicate_cases, shared_patients
from t3d.errors import T3DError

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 20.0


@dataclass(frozen=True)
class Checked:
    """What was found.

    Attributes:
        counts: list -> number of cases.
        patients: number of patients.
        tables: see ``Tables.as_dict``, and ``reports``.
        remarks: faults and warnings.
    """

    counts: dict[str, int]
    patients: int
    tables: dict[str, Any]
    remarks: list[Remark]

    @property
    def faults(self) -> list[Remark]:
        """What has to be mended."""
        return [remark for remark in self.remarks if remark.fault]


def check_cohort(
    datalist: Path,
    *,
    fast: bool = False,
    need_report: bool | None = None,
    max_tokens: int = 512,
    allow_no_hu: bool = False,
    workers: int = 1,
    sheet: Sheet | None = None,
    look: Callable[..., CaseFacts] = look_at_case,
) -> Checked:
    """Look at every case of every list of a datalist; one volume's slab is in memory at a time and process.

    Args:
        datalist: the file.
        fast: read headers only.
        need_report: whether a missing report is a fault; None where some case has one.
        max_tokens: of the text encoder.
        allow_no_hu: values that are no HU are a warning.
        workers: processes.
        sheet: for the pictures.
        look: at one case.

    Raises:
        T3DError: the datalist cannot be read or has no cases.
    """
    content = read_datalist(datalist)
    raw = {name: content.pop(name) for name in SPLITS if content.get(name)}
    if not raw:
        raise T3DError(f'{datalist.name} has no cases in the lists "training", "validation" and "test"; add some')
    said: list[str] = []
    lists = {name: resolve_items(items, name, datalist.parent, said) for name, items in raw.items()}
    del raw
    remarks = [Remark("datalist", text) for text in said + duplicate_cases(lists) + shared_patients(lists)]
    items = [item for listed in lists.values() for item in listed]
    cases = [(item["case_id"], name, item["patient_id"]) for name, listed in lists.items() for item in listed]
    lists.clear()
    book, tables = ReportBook(len(items), max_tokens=max_tokens), Tables(len(items))
    for number, item in enumerate(items):
        book.add(number, item.pop("report", None))
        for fault in tables.add_findings(cases[number][1], item.pop("findings", None)):
            remarks.append(Remark("findings", fault, *cases[number][:2]))
    look = partial(look, fast=fast, picture=sheet is not None, allow_no_hu=allow_no_hu)
    images: dict[bytes, int] = {}
    for number, facts in enumerate(_with_progress(_each(look, items, workers), len(items))):
        case, split, _ = cases[number]
        remarks += [Remark(kind, what, case, split) for kind, what in facts.faults]
        remarks += [Remark(kind, what, case, split, fault=False) for kind, what in facts.doubts]
        tables.add(number, split, facts)
        if facts.fingerprint is not None:
            first = images.setdefault(facts.fingerprint, number)
            if first != number:
                remarks.append(_identical(cases[number], cases[first]))
        if sheet is not None:
            sheet.add(case, facts.picture, faulty=bool(facts.faults))
    if sheet is not None:
        sheet.close()
    some = need_report if need_report is not None else bool(book.tokens.any())
    remarks += book.remarks(cases, needed=some)
    remarks += [Remark("findings", text, fault=False) for text in tables.one_sided()]
    remarks += _lacking_labels(tables, cases)
    counts = dict(Counter(split for _, split, _ in cases))
    return Checked(counts, len({p for _, _, p in cases}), {**tables.as_dict(), "reports": book.table()}, remarks)


def _identical(case: tuple[str, str, str], first: tuple[str, str, str]) -> Remark:
    across = case[1] != first[1]
    what = f"image is that of case {first[0]} ({first[1]}), voxel by voxel; " + (
        "keep it in one list, or the held-out numbers are too good" if across else "leave one of them out"
    )
    return Remark("identical images", what, case[0], case[1], fault=across)


def _lacking_labels(tables: Tables, cases: list[tuple[str, str, str]]) -> list[Remark]:
    total = Counter(split for _, split, _ in cases)
    return [
        Remark("label", f"{total[split] - n} of {total[split]} cases have no readable label", None, split, fault=False)
        for split, n in tables.labelled.items()
        if 0 < n < total[split]
    ]


def _each(look: Callable[[dict], CaseFacts], items: list[dict], workers: int) -> Iterator[CaseFacts]:
    """The facts of all items in order; with processes, a few cases are ahead of the one that is awaited."""
    if workers == 1:
        yield from map(look, items)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        ahead: deque[Future[CaseFacts]] = deque()
        for item in items:
            ahead.append(pool.submit(look, item))
            if len(ahead) >= 4 * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _with_progress(facts: Iterable[CaseFacts], total: int) -> Iterator[CaseFacts]:
    start = said = time.monotonic()
    for done, one in enumerate(facts, start=1):
        now = time.monotonic()
        if now - said >= SECONDS_BETWEEN_LINES and done < total:
            said = now
            left = (now - start) / done * (total - done)
            logger.info("looked at %d of %d cases, about %.0f min left", done, total, left / 60)
        yield one
