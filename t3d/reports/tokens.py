"""From a report's text to the tokens a text encoder reads, with the sentence of every token."""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from t3d.errors import T3DError
from t3d.flag import flag
from t3d.reports.clean import cleaned
from t3d.reports.comparisons import drop_comparisons as without_comparisons
from t3d.reports.once import Once
from t3d.reports.sections import SECTIONS, select_sections
from t3d.reports.sentences import split_sentences
from t3d.reports.unknown import UnknownTokens

logger = logging.getLogger(__name__)

_KEPT = 4096  # reports whose tokens a process keeps: some 10 kB each


class ReportTokens(NamedTuple):
    """Tokens of one report, no padding: ids (n,) int64, sentence (n,) int64 or -1 if special, was it cut."""

    ids: Tensor
    sentence: Tensor
    cut: bool


class ReportTokenizer:
    """Clean a report, choose its sections and tokenise it sentence by sentence.

    The live and the cached way of reading reports both go through here, so they agree by construction. A
    report with more than ``max_tokens`` tokens is cut at the end of a sentence (within it only if the first
    sentence alone is too long). ``cut_cases`` holds the ids of the cases that were cut so far in this
    process; each is logged once at debug level, and ``check`` says how many of a list there are.

    Args:
        tokenizer: a Hugging Face tokenizer (``load_tokenizer``); it needs a padding token.
        max_tokens: longest token sequence, special tokens included; also the padded length (ours).
        sections: see ``select_sections``.
        drop_comparisons: leave out sentences that compare with an earlier study, see ``t3d.reports.comparisons``.

    Raises:
        T3DError: ``max_tokens`` above the tokenizer's limit or too small, no padding token, unknown section.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        max_tokens: int = 256,
        sections: Sequence[str] = SECTIONS,
        drop_comparisons: bool = False,
    ) -> None:
        if tokenizer.pad_token_id is None:
            raise T3DError(f"tokenizer {tokenizer.name_or_path} has no padding token; choose a text encoder like BERT")
        self.tokenizer = tokenizer
        self.max_tokens = int(max_tokens)
        self.sections = (sections,) if isinstance(sections, str) else tuple(sections)
        self.drop_comparisons = flag("drop_comparisons", drop_comparisons)
        self.pad_id = int(tokenizer.pad_token_id)
        self.cut_cases: set[str] = set()
        self._read: Once[tuple[ReportTokens, int]] = Once(_KEPT)
        select_sections("", self.sections)  # raises for an unknown name now, not at the first report
        self._first, self._last = self._special_tokens()
        limit = tokenizer.model_max_length  # huge where the tokenizer does not know it
        if self.max_tokens > limit:
            raise T3DError(f"max_tokens {max_tokens} is above the encoder's limit: choose at most {limit}")
        if self.max_tokens <= len(self._first) + len(self._last):
            raise T3DError(f"max_tokens {max_tokens} leaves no room for a report; choose 64 or more")

    @property
    def identity(self) -> str:
        """sha256 of everything that decides which tokens a text gives."""
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        if backend is None:
            backend_rules = {"class": type(self.tokenizer).__name__, "vocabulary": self.tokenizer.get_vocab()}
        else:
            backend_rules = json.loads(backend.to_str())
            for set_by_calls in ("truncation", "padding"):
                backend_rules.pop(set_by_calls, None)
        rules = [backend_rules, self._first, self._last, self.max_tokens, self.sections]
        if self.drop_comparisons:  # only then, so that features cached before there was the option stay valid
            rules.append("drop_comparisons")
        return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()

    def sentences(self, text: Any, case_id: str) -> list[str]:
        """The sentences of the chosen sections.

        Raises:
            T3DError: the report is missing, is no plain text, or is empty.
        """
        sentences = split_sentences(select_sections(cleaned(text, case_id), self.sections))
        return without_comparisons(sentences) if self.drop_comparisons else sentences

    def __call__(self, text: Any, case_id: str = "?") -> ReportTokens:
        """Tokenise one report.

        Raises:
            T3DError: the report is missing or empty.
        """
        return self.read(text, case_id)[0]

    def read(self, text: Any, case_id: str = "?") -> tuple[ReportTokens, int]:
        """The tokens of one report and its ``report_number``; a text that was read before is not read again.

        Raises:
            T3DError: the report is missing or empty.
        """

        def make() -> tuple[ReportTokens, int]:
            sentences = self.sentences(text, case_id)
            return self.tokenise(sentences, case_id), report_number(sentences)

        tokens, number = self._read.get(text, make) if isinstance(text, str) else make()
        if tokens.cut:
            self._note_cut(case_id)
        return tokens, number

    def tokenise(self, sentences: Sequence[str], case_id: str = "?") -> ReportTokens:
        """Tokenise sentences that ``sentences`` gave."""
        room = self.max_tokens - len(self._first) - len(self._last)
        ids: list[int] = []
        numbers: list[int] = []
        cut = False
        for number, sentence in enumerate(sentences):
            # The space of the running text matters to byte-level tokenizers and is nothing to WordPiece.
            pieces = self._pieces(sentence if number == 0 else f" {sentence}")
            if len(ids) + len(pieces) > room:
                cut = True
                if number > 0:
                    break
                pieces = pieces[:room]
            ids += pieces
            numbers += [number] * len(pieces)
        if cut:
            self._note_cut(case_id)
        ids = [*self._first, *ids, *self._last]
        numbers = [-1] * len(self._first) + numbers + [-1] * len(self._last)
        return ReportTokens(torch.tensor(ids), torch.tensor(numbers), cut)

    def check(self, items: Iterable[Mapping[str, Any]], *, key: str = "report") -> int:
        """Tokenise the reports of a list once, before training; say how many are cut, and what is [UNK].

        Args:
            items: datalist items with the text under ``key`` and a ``case_id``.

        Returns:
            number of cases whose report is cut.

        Raises:
            T3DError: a report is missing or empty.
        """
        cut, unknown = [], self.unknown_tokens()
        for item in items:
            case_id = str(item.get("case_id", "?"))
            tokens, number = self.read(item.get(key), case_id)
            cut.append(tokens.cut)
            unknown.add(case_id, tokens.ids, number)
        unknown.say(self.name)
        return self.say_cut(sum(cut), len(cut))

    @property
    def name(self) -> str:
        """What messages call the text encoder."""
        return Path(str(self.tokenizer.name_or_path)).name

    def unknown_tokens(self) -> UnknownTokens:
        """An empty count for this tokenizer."""
        return UnknownTokens(self.tokenizer.unk_token_id)

    def _note_cut(self, case_id: str) -> None:
        if case_id not in self.cut_cases:
            self.cut_cases.add(case_id)
            logger.debug("the report of case %s is cut at %d tokens", case_id, self.max_tokens)

    def say_cut(self, count: int, total: int) -> int:
        """Log that ``count`` of ``total`` reports were cut, and return ``count``."""
        if count:
            logger.warning(
                "%d of %d reports are longer than max_tokens=%d; they are cut at a sentence",
                count,
                total,
                self.max_tokens,
            )
        return count

    def pad(self, values: Tensor, filling: float) -> Tensor:
        """Lengthen (n, ..) to (max_tokens, ..) with ``filling``."""
        missing = self.max_tokens - len(values)
        return torch.cat([values, values.new_full((missing, *values.shape[1:]), filling)])

    def _pieces(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]

    def _special_tokens(self) -> tuple[list[int], list[int]]:
        """What the tokenizer puts before and after a text, found by comparing a word with and without it."""
        bare = self._pieces("report")
        framed = self.tokenizer("report")["input_ids"]
        start = next((i for i in range(len(framed)) if framed[i : i + len(bare)] == bare), None)
        if start is None:
            raise T3DError(
                f"tokenizer {self.tokenizer.name_or_path} has unusual special tokens; choose another encoder"
            )
        return framed[:start], framed[start + len(bare) :]


def report_number(sentences: Sequence[str]) -> int:
    """A 64-bit number that is equal for equal cleaned reports; global alignment tells duplicates by it."""
    return int.from_bytes(hashlib.sha256("\n".join(sentences).encode()).digest()[:8], "big", signed=True)
