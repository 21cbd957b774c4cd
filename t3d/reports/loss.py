"""How much of a cohort's reports the training will read, and what is left out on the way."""

import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from t3d.errors import SHOWN_FAULTS
from t3d.reports.clean import clean_report
from t3d.reports.comparisons import compares, drop_comparisons
from t3d.reports.sections import SECTION_NAMES, SECTIONS, parse_sections, select_sections
from t3d.reports.sentences import split_sentences
from t3d.reports.unknown import MUCH, foreign_share

logger = logging.getLogger(__name__)

LITTLE = 0.25  # kept share of the words below which a case is named


@dataclass
class ReportLoss:
    """What was there and what is kept, summed over reports; it holds counts and case ids, never text.

    Attributes:
        reports: number of reports; ``empty`` of them, named in ``empty_cases``, have no words.
        characters, sentences: of the cleaned reports.
        kept_characters, kept_sentences: of what the training reads.
        comparing_sentences: sentences of the chosen sections that compare with an earlier study, dropped or not.
        used_whole: reports in which no wanted section was found, so all of the text is used.
        sections: section -> number of reports that have it.
        little_kept: cases of which less than a quarter of the words is kept.
        other_letters: cases of which 5 % or more of the letters are not Latin, see ``foreign_share``.
    """

    reports: int = 0
    characters: int = 0
    kept_characters: int = 0
    sentences: int = 0
    kept_sentences: int = 0
    comparing_sentences: int = 0
    used_whole: int = 0
    empty: int = 0
    sections: Counter = field(default_factory=Counter)
    empty_cases: list[str] = field(default_factory=list)
    little_kept: list[str] = field(default_factory=list)
    other_letters: list[str] = field(default_factory=list)

    def add(self, case_id: str, text: Any, *, sections: Sequence[str] = SECTIONS, drop: bool = False) -> None:
        """Count one report; a missing one counts as empty."""
        self.reports += 1
        cleaned = clean_report(text) if isinstance(text, str) else ""
        if not cleaned:
            self.empty += 1
            self.empty_cases.append(case_id)
            return
        selected = select_sections(cleaned, sections)
        chosen = split_sentences(selected)
        kept = drop_comparisons(chosen) if drop else chosen
        self.characters += len(cleaned)
        self.kept_characters += sum(map(len, kept)) + max(0, len(kept) - 1)
        self.sentences += len(split_sentences(cleaned))
        self.kept_sentences += len(kept)
        self.comparing_sentences += sum(map(compares, chosen))
        self.used_whole += selected == cleaned
        names = {name for part in parse_sections(cleaned) for name in part.names}
        self.sections.update(names)
        if _words(" ".join(kept)) < LITTLE * _words(cleaned):
            self.little_kept.append(case_id)
        if foreign_share(cleaned) >= MUCH:
            self.other_letters.append(case_id)

    def as_dict(self) -> dict[str, Any]:
        """For a JSON file."""
        return {**asdict(self), "sections": {name: self.sections[name] for name in SECTION_NAMES}}


def count_loss(
    items: Iterable[Mapping[str, Any]], *, sections: Sequence[str] = SECTIONS, drop: bool = False
) -> ReportLoss:
    """Count over the items of a datalist (``case_id``, ``report``).

    Args:
        items: of ``t3d.data.datalist.load_datalist``.
        sections: as in the training, see ``select_sections``.
        drop: also leave out sentences that compare with an earlier study, see ``drop_comparisons``.

    Raises:
        T3DError: unknown section.
    """
    loss = ReportLoss()
    for item in items:
        loss.add(str(item.get("case_id", "?")), item.get("report"), sections=sections, drop=drop)
    return loss


def say_loss(loss: ReportLoss, name: str) -> None:
    """Log the counts of one list in four lines."""
    known = loss.reports - loss.empty
    found = ", ".join(f"{section} {loss.sections[section]}" for section in SECTION_NAMES)
    logger.info("%s: %d reports, %d empty; sections found: %s", name, loss.reports, loss.empty, found)
    logger.info(
        "%s: kept %s of the characters and %s of the sentences; %d of %d reports are used whole",
        name,
        _share(loss.kept_characters, loss.characters),
        _share(loss.kept_sentences, loss.sentences),
        loss.used_whole,
        known,
    )
    logger.info("%s: %d sentences compare with an earlier study", name, loss.comparing_sentences)
    for cases, meaning in (
        (loss.empty_cases, "have no report text"),
        (loss.little_kept, "keep less than a quarter of their words"),
        (loss.other_letters, "have letters that an English vocabulary may know only as [UNK] (--text_encoder counts)"),
    ):
        if cases:
            shown = ", ".join(cases[:SHOWN_FAULTS]) + (" .." if len(cases) > SHOWN_FAULTS else "")
            logger.warning("%s: %d cases %s: %s", name, len(cases), meaning, shown)


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / whole:.1f} %)" if whole else "0 of 0"


def _words(text: str) -> int:
    return len(re.findall(r"\w+", text))
