"""Token features of reports, computed once per distinct report and kept on disk without the text."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from t3d.errors import T3DError
from t3d.reports.feature_file import read_features, write_features
from t3d.reports.frozen_features import FrozenFeatures
from t3d.reports.once import Once
from t3d.reports.sections import SECTIONS
from t3d.reports.tokens import report_number

logger = logging.getLogger(__name__)

_KEPT = 65536  # reports whose file and number a process keeps: some 400 bytes each


class ReportFeatures(FrozenFeatures):
    """The cached way of reading reports, for a frozen text encoder.

    One safetensors file per distinct report holds ``features`` (n, D) float32 and ``sentence`` (n,) int32 of
    its n tokens, under a name that depends on the encoder, the tokenizer, ``max_tokens``, ``sections`` and the cleaned
    sentences. Neither text nor token ids are stored.

    Args:
        encoder, tokenizer, cache_dir: see ``FrozenFeatures``.
        max_tokens, sections, drop_comparisons: see ``ReportTokenizer``, which is at ``.reports`` and counts the
            reports it cut.

    Raises:
        T3DError: the encoder learns, or reads fewer than ``max_tokens`` tokens (with a partial: when it is made).
    """

    _format = "t3d report features 1"
    _beside = ("sentence",)
    _called = "report features"

    def __init__(
        self,
        *,
        encoder: Any,
        tokenizer: Any,
        cache_dir: str | Path,
        max_tokens: int = 256,
        sections: Sequence[str] = SECTIONS,
        drop_comparisons: bool = False,
    ) -> None:
        options = {"max_tokens": max_tokens, "sections": sections, "drop_comparisons": drop_comparisons}
        super().__init__(encoder=encoder, tokenizer=tokenizer, cache_dir=cache_dir, options=options)
        self._known: Once[tuple[Path, int]] = Once(_KEPT)

    def precompute(self, items: Iterable[Mapping[str, Any]], *, key: str = "report", batch_size: int = 32) -> int:
        """Compute what is not in the cache or damaged there; log how many reports are cut, and what is [UNK].

        Args:
            items: datalist items with the text under ``key`` and a ``case_id``.
            key: of the text.
            batch_size: reports per encoder call.

        Returns:
            number of reports computed.

        Raises:
            T3DError: a report is missing or empty, the disk is full, or the encoder was released.
        """
        missing: dict[Path, tuple[Tensor, Tensor]] = {}
        seen: set[Path] = set()
        cut, unknown = [], self.reports.unknown_tokens()
        for item in items:
            case_id = str(item.get("case_id", "?"))
            sentences = self.reports.sentences(item.get(key), case_id)
            tokens = self.reports.tokenise(sentences, case_id)
            cut.append(tokens.cut)
            path, number = self._path(sentences), report_number(sentences)
            unknown.add(case_id, tokens.ids, number)
            self._known.put(item[key], (path, number))
            if path not in seen and not self._cached(path, case_id):
                missing[path] = tokens.ids, tokens.sentence
            seen.add(path)
        self.reports.say_cut(sum(cut), len(cut))
        unknown.say(self.reports.name)
        # Like lengths together: less padding to compute.
        order = sorted(missing, key=lambda path: (len(missing[path][0]), path.name))
        done = 0
        for start in range(0, len(order), batch_size):
            paths = order[start : start + batch_size]
            features = self._encode([missing[path][0] for path in paths])
            for path, values in zip(paths, features, strict=True):
                write_features(path, values, missing[path][1])
            tenth = 10 * (start + len(paths)) // len(order)
            if tenth > done:
                done = tenth
                logger.info("report features: %d of %d computed", start + len(paths), len(order))
        logger.info("report features: %d of %d distinct reports were in the cache", len(seen) - len(order), len(seen))
        return len(order)

    def get(self, text: Any, case_id: str = "?") -> tuple[Tensor, Tensor, Tensor]:
        """Look up one report; compute it if it is not in the cache and the encoder is still there.

        Returns:
            features (L, D) float32, zero in the padding; mask (L,) bool; sentence (L,) int64, -1 for special
            and padding tokens; L = ``max_tokens``.

        Raises:
            T3DError: the report is missing or empty, or is not in the cache and the encoder was released.
        """
        path, _ = self._look_up(text, case_id)
        if not self._cached(path, case_id):
            tokens, _ = self.reports.read(text, case_id)
            write_features(path, self._encode([tokens.ids], case_id)[0], tokens.sentence)
        features, sentence = read_features(path)
        visible = torch.ones(len(features), dtype=torch.bool)
        return (
            self.reports.pad(features, 0.0),
            self.reports.pad(visible, False),
            self.reports.pad(sentence, -1),
        )

    __getitem__ = get

    def report_id(self, text: Any, case_id: str = "?") -> int:
        """See ``report_number``."""
        return self._look_up(text, case_id)[1]

    def _look_up(self, text: Any, case_id: str) -> tuple[Path, int]:
        """The file of a report and its number; a text that was looked up before is not cleaned and split again."""

        def make() -> tuple[Path, int]:
            sentences = self.reports.sentences(text, case_id)
            return self._path(sentences), report_number(sentences)

        return self._known.get(text, make) if isinstance(text, str) else make()


def check_text_width(features_or_encoder: Any, text_width: int) -> None:
    """Check that the network expects as many channels per report token as the text encoder gives.

    Raises:
        T3DError: they differ; says which ``--text_width`` to give.
    """
    width = features_or_encoder.width
    if width != text_width:
        raise T3DError(
            f"text encoder {features_or_encoder.identity} gives {width} features per token but text_width is "
            f"{text_width}: pass --text_width {width}"
        )
