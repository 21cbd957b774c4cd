"""Features of the sentences of reports, each encoded alone, once, and kept on disk without the text."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch
from torch import Tensor

from t3d.reports.clean import cleaned
from t3d.reports.feature_file import write_tensors
from t3d.reports.frozen_features import FrozenFeatures
from t3d.reports.once import Once
from t3d.reports.sentence_counts import SentenceCounts
from t3d.reports.sentence_kinds import kind_flags, with_routine
from t3d.reports.spoken_sentences import SpokenSentence, spoken_sentences

logger = logging.getLogger(__name__)

_KEPT = 65536  # reports whose file and asked sentences a process keeps: some 500 bytes each
_TOGETHER = 1024  # reports whose sentences are encoded and written before the next ones


class Sentences(NamedTuple):
    """What a report says: ``said`` (R, T) float32, ``asked_from`` (R,) bool, ``weight`` (R,) float32, R from 0 on.

    ``kind`` (R,) int64 has a bit for each of ``t3d.reports.sentence_kinds.NAMES``.
    """

    said: Tensor
    asked_from: Tensor
    weight: Tensor
    kind: Tensor


class SentenceFeatures(FrozenFeatures):
    """One vector per distinct sentence of findings and impression: the mean over its tokens, special ones left out.

    One safetensors file per distinct report holds ``features`` (R, D) float32, ``number`` (R,) int64, equal for equal
    sentences of all reports of one encoder, and ``known`` (R,) bool, False where the encoder knows none of a
    sentence's tokens: such sentences are all alike to it, so they are not given out. Neither text nor token ids are
    stored; a number is a checksum together with the encoder's identity, as the file names are.

    Args:
        encoder, tokenizer, cache_dir: see ``FrozenFeatures``. The encoder is a frozen one also where the network has
            one that learns: targets that move could be met by making all of them equal.
        max_tokens: a longer sentence is cut there, as reports are.
        sections: whose sentences are asked, see ``spoken_sentences``.

    Raises:
        T3DError: an unknown section; the encoder learns, or reads fewer than ``max_tokens`` tokens.
    """

    _format = "t3d sentence features 1"
    _beside = ("number", "known")
    _called = "sentence features"

    def __init__(
        self,
        *,
        encoder: Any,
        tokenizer: Any,
        cache_dir: str | Path,
        max_tokens: int = 256,
        sections: Sequence[str] = ("impression",),
    ) -> None:
        super().__init__(encoder=encoder, tokenizer=tokenizer, cache_dir=cache_dir, options={"max_tokens": max_tokens})
        spoken_sentences("", sections)  # raises for an unknown name now, not at the first report
        self.sections = (sections,) if isinstance(sections, str) else tuple(sections)
        self.counts = SentenceCounts()
        self._known: Once[tuple[Path, tuple[Tensor, Tensor]]] = Once(_KEPT)

    def precompute(self, items: Iterable[Mapping[str, Any]], *, key: str = "report", batch_size: int = 128) -> int:
        """Compute what is not in the cache; count who says what; log how many cases cannot be asked about.

        Args:
            items: datalist items with the text under ``key`` and a ``case_id``. A sentence weighs the less, the more
                of these cases say it.
            key: of the text.
            batch_size: sentences per encoder call.

        Returns:
            number of distinct sentences computed.

        Raises:
            T3DError: a report is missing or empty, the disk is full, or the encoder was released.
        """
        missing: dict[Path, list[str]] = {}
        cases: Counter[Path] = Counter()
        askable: dict[Path, Tensor] = {}
        for item in items:
            case_id = str(item.get("case_id", "?"))
            path, (asked, _) = self._look_up(item.get(key), case_id)
            if path not in cases and not self._cached(path, case_id):
                missing[path] = self._texts(item[key], case_id)
            cases[path] += 1
            askable[path] = asked
        computed = self._compute(missing, batch_size)
        counts: Counter[int] = Counter()
        silent = 0
        for path, times in cases.items():
            found = safetensors.torch.load_file(path)
            counts.update(dict.fromkeys(found["number"].tolist(), times))
            silent += 0 if (askable[path] & found["known"]).any() else times
        self.counts = SentenceCounts(counts.items(), cases.total())
        logger.info(
            "sentence features: %d distinct sentences of %d cases, %d computed now",
            len(counts),
            cases.total(),
            computed,
        )
        if silent:
            logger.warning(
                "%d of %d cases have no sentence that can be asked about; they take part in all else",
                silent,
                cases.total(),
            )
        return computed

    def get(self, text: Any, case_id: str = "?") -> Sentences:
        """Look up one report; compute it if it is not in the cache and the encoder is still there.

        Raises:
            T3DError: the report is missing or empty, or is not in the cache and the encoder was released.
        """
        path, (asked, kind) = self._look_up(text, case_id)
        if not self._cached(path, case_id):
            self._compute({path: self._texts(text, case_id)}, case_id=case_id)
        found = safetensors.torch.load_file(path)
        known = found["known"]
        numbers = found["number"].numpy()
        weight = torch.from_numpy(self.counts.weight(numbers))[known]
        kind = torch.from_numpy(with_routine(kind.numpy(), self.counts.routine(numbers)))[known]
        return Sentences(said=found["features"][known], asked_from=asked[known], weight=weight, kind=kind)

    __getitem__ = get

    def _look_up(self, text: Any, case_id: str) -> tuple[Path, tuple[Tensor, Tensor]]:
        """The file of a report; which sentences are asked, and their kinds. A text is split once in a process."""

        def make() -> tuple[Path, tuple[Tensor, Tensor]]:
            spoken = self._spoken(text, case_id)
            texts = [sentence.text for sentence in spoken]
            asked = torch.tensor([sentence.asked for sentence in spoken], dtype=torch.bool)
            return self._path(texts), (asked, torch.from_numpy(kind_flags(texts)))

        return self._known.get(text, make) if isinstance(text, str) else make()

    def _spoken(self, text: Any, case_id: str) -> list[SpokenSentence]:
        return spoken_sentences(cleaned(text, case_id), self.sections)

    def _texts(self, text: Any, case_id: str) -> list[str]:
        return [sentence.text for sentence in self._spoken(text, case_id)]

    def _compute(self, missing: Mapping[Path, list[str]], batch_size: int = 128, case_id: str = "?") -> int:
        """Encode the sentences of these reports and write their files; those that come again are kept meanwhile."""
        left = Counter(sentence for sentences in missing.values() for sentence in sentences)
        made: dict[str, tuple[Tensor, bool]] = {}
        computed = 0
        paths = sorted(missing)
        for start in range(0, len(paths), _TOGETHER):
            these = paths[start : start + _TOGETHER]
            new = sorted({sentence for path in these for sentence in missing[path]} - set(made))
            made |= self._encode_sentences(new, batch_size, case_id)
            computed += len(new)
            for path in these:
                self._write(path, missing[path], made)
                left.subtract(missing[path])
            made = {sentence: value for sentence, value in made.items() if left[sentence]}
            if len(paths) > _TOGETHER:
                logger.info("sentence features: %d of %d reports computed", start + len(these), len(paths))
        return computed

    def _encode_sentences(
        self, sentences: Sequence[str], batch_size: int, case_id: str
    ) -> dict[str, tuple[Tensor, bool]]:
        """Each sentence's feature (D,) float32, and whether the encoder knows any token of it."""
        unknown = self.reports.tokenizer.unk_token_id
        tokens = [self.reports.tokenise([sentence], case_id) for sentence in sentences]
        # Like lengths together: less padding to compute.
        order = sorted(range(len(tokens)), key=lambda number: len(tokens[number].ids))
        made: dict[str, tuple[Tensor, bool]] = {}
        for start in range(0, len(order), batch_size):
            some = order[start : start + batch_size]
            features = self._encode([tokens[number].ids for number in some], case_id)
            for number, values in zip(some, features, strict=True):
                own = tokens[number].sentence >= 0
                known = bool((tokens[number].ids[own] != (-1 if unknown is None else unknown)).any())
                made[sentences[number]] = values[own].mean(dim=0) if known else torch.zeros(self.width), known
        return made

    def _write(self, path: Path, sentences: Sequence[str], made: Mapping[str, tuple[Tensor, bool]]) -> None:
        features = [made[sentence][0] for sentence in sentences]
        tensors = {
            "features": torch.stack(features) if features else torch.zeros(0, self.width),
            "number": torch.tensor([self._number(sentence) for sentence in sentences], dtype=torch.int64),
            "known": torch.tensor([made[sentence][1] for sentence in sentences], dtype=torch.bool),
        }
        write_tensors(path, tensors)

    def _number(self, sentence: str) -> int:
        digest = hashlib.sha256(json.dumps([*self._prefix, "sentence", sentence]).encode()).digest()
        return int.from_bytes(digest[:8], "big", signed=True)
