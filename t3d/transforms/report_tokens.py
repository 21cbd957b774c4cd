"""From a report's text to the tokens a text encoder reads, with the sentence of every token."""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from t3d.errors import T3DError
from t3d.transforms.report_sections import SECTIONS, clean_report, select_sections, split_sentences

logger = logging.getLogger(__name__)


class ReportTokens(NamedTuple):
    """Tokens of one report without padding (n,): ids int64, sentence int64 (-1 for special tokens), was it cut."""

    ids: Tensor
    sentence: Tensor
    cut: bool


class ReportTokenizer:
    """Clean a report, choose its sections and tokenise it sentence by sentence.

    The live and the cached way of reading reports both go through here, so they agree by construction. A report
    with more than ``max_tokens`` tokens is cut at the end of a sentence (within it only if the first sentence alone
    is too long). The first cut is said as a warning, each at debug level by case id, and ``check`` counts them.

    Args:
        tokenizer: a Hugging Face tokenizer (``load_tokenizer``); it needs a padding token.
        max_tokens: longest token sequence, special tokens included; also the padded length (ours).
        sections: see ``select_sections``.

    Raises:
        T3DError: ``max_tokens`` above the tokenizer's limit or too small, no padding token, unknown section.
    """

    def __init__(self, tokenizer: Any, *, max_tokens: int = 256, sections: Sequence[str] = SECTIONS) -> None:
        if tokenizer.pad_token_id is None:
            raise T3DError(
                f"tokenizer {tokenizer.name_or_path} has no padding token; choose a text encoder with one, such as BERT"
            )
        self.tokenizer = tokenizer
        self.max_tokens = int(max_tokens)
        self.sections = (sections,) if isinstance(sections, str) else tuple(sections)
        self.pad_id = int(tokenizer.pad_token_id)
        self.cut_cases: set[str] = set()
        select_sections("", self.sections)  # raises for an unknown name now, not at the first report
        self._first, self._last = self._special_tokens()
        limit = tokenizer.model_max_length  # a huge number where the tokenizer does not know its encoder's limit
        if not len(self._first) + len(self._last) < self.max_tokens <= limit:
            raise T3DError(f"max_tokens {max_tokens} is not possible; the text encoder reads at most {limit} tokens")

    @property
    def identity(self) -> str:
        """sha256 of everything that decides which tokens a text gives."""
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        if backend is None:
            rules = {"class": type(self.tokenizer).__name__, "vocabulary": self.tokenizer.get_vocab()}
        else:
            rules = json.loads(backend.to_str())
            rules.pop("truncation", None), rules.pop("padding", None)  # set by calls, not part of the rules
        rules = [rules, self._first, self._last, self.max_tokens, self.sections]
        return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()

    def sentences(self, text: Any, case_id: str) -> list[str]:
        """The sentences of the chosen sections.

        Raises:
            T3DError: the report is missing, is no text, or is empty.
        """
        remedy = "give it a report, drop the case, or train without text (--use_text false)"
        if not isinstance(text, str):
            raise T3DError(f"case {case_id} has no report text (found {type(text).__name__}); {remedy}")
        sentences = split_sentences(select_sections(clean_report(text), self.sections))
        if not sentences:
            raise T3DError(f"case {case_id} has an empty report ({len(text)} characters, no words); {remedy}")
        return sentences

    def __call__(self, text: Any, case_id: str = "?") -> ReportTokens:
        """Tokenise one report.

        Raises:
            T3DError: the report is missing or empty.
        """
        return self.tokenise(self.sentences(text, case_id), case_id)

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
            self._say_cut(case_id)
        ids = [*self._first, *ids, *self._last]
        numbers = [-1] * len(self._first) + numbers + [-1] * len(self._last)
        return ReportTokens(torch.tensor(ids), torch.tensor(numbers), cut)

    def check(self, items: Iterable[Mapping[str, Any]], *, key: str = "report") -> int:
        """Tokenise the reports of a list once, before training, and say in the log how many are cut.

        Args:
            items: datalist items with the text under ``key`` and a ``case_id``.

        Returns:
            number of cases whose report is cut.

        Raises:
            T3DError: a report is missing or empty.
        """
        before, total = len(self.cut_cases), 0
        for total, item in enumerate(items, 1):
            self(item.get(key), item.get("case_id", "?"))
        return self.say_summary(total, before)

    def say_summary(self, total: int, before: int = 0) -> int:
        """Log and return how many of ``total`` reports were cut since there were ``before`` of them."""
        count = len(self.cut_cases) - before
        if count:
            logger.warning(
                "%d of %d reports are longer than max_tokens=%d and are cut at a sentence", count, total, self.max_tokens
            )
        return count

    def pad(self, values: Tensor, filling: float, *, dim: int = 0) -> Tensor:
        """Lengthen (n, ..) to (max_tokens, ..) with ``filling``."""
        missing = self.max_tokens - values.shape[dim]
        return torch.cat([values, values.new_full((missing, *values.shape[1:]), filling)])

    def _pieces(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]

    def _special_tokens(self) -> tuple[list[int], list[int]]:
        """What the tokenizer puts before and after a text, found by comparing a word with and without it."""
        bare = self._pieces("report")
        framed = self.tokenizer("report")["input_ids"]
        start = next(i for i in range(len(framed)) if framed[i : i + len(bare)] == bare)
        return framed[:start], framed[start + len(bare) :]

    def _say_cut(self, case_id: str) -> None:
        if case_id in self.cut_cases:
            return
        if not self.cut_cases:
            logger.warning("reports longer than max_tokens=%d are cut at a sentence", self.max_tokens)
        logger.debug("report of case %s is cut at %d tokens", case_id, self.max_tokens)
        self.cut_cases.add(case_id)
