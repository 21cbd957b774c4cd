"""The report's side of pre-training: one object for the text encoder, its cache and the steps of an item."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from monai.transforms import Transform

from t3d.networks.text_encoder import TextEncoder, load_tokenizer
from t3d.reports.features import ReportFeatures, check_text_width
from t3d.reports.sections import SECTIONS
from t3d.transforms.report import EncodeReportd, TokenizeReportd


class ReportSide:
    """How reports reach the network: not at all, as tokens for a live encoder, or as features from a cache.

    Nothing is loaded before it is asked for, so that a configuration can be looked at where the encoder is not.

    Args:
        use_text: False: there is no report side.
        report_cache: features computed once by a frozen encoder; False: the encoder is part of the network.
        text_encoder, revision, trained_layers: see ``TextEncoder``.
        max_tokens, sections, drop_comparisons: see ``ReportTokenizer``.
        cache_dir: folder of the features.
    """

    def __init__(
        self,
        *,
        use_text: bool,
        report_cache: bool,
        text_encoder: str,
        revision: str | None = None,
        trained_layers: int = 0,
        max_tokens: int = 512,
        sections: Sequence[str] = SECTIONS,
        drop_comparisons: bool = False,
        cache_dir: str | Path = "",
    ) -> None:
        self.use_text, self.live, self.cached = use_text, use_text and not report_cache, use_text and report_cache
        self.cache_dir = cache_dir
        self._encoder = partial(TextEncoder, name=text_encoder, revision=revision, trained_layers=trained_layers)
        self._tokenizer = partial(load_tokenizer, name=text_encoder, revision=revision)
        self._options: dict[str, Any] = {
            "max_tokens": max_tokens,
            "sections": sections,
            "drop_comparisons": drop_comparisons,
        }

    @cached_property
    def live_encoder(self) -> TextEncoder | None:
        """The encoder that becomes part of the network, or None."""
        return self._encoder() if self.live else None

    @cached_property
    def features(self) -> ReportFeatures | None:
        """The cache, or None."""
        if not self.cached:
            return None
        return ReportFeatures(
            encoder=self._encoder, tokenizer=self._tokenizer, cache_dir=self.cache_dir, **self._options
        )

    @cached_property
    def steps(self) -> list[Transform]:
        """What replaces an item's text by what the network takes: one transform, or none."""
        if self.cached:
            return [EncodeReportd("report", features=self.features)]
        return [TokenizeReportd("report", tokenizer=self._tokenizer(), **self._options)] if self.live else []

    def check_width(self, text_width: int) -> None:
        """Refuse an encoder whose features are not as wide as the network expects.

        Raises:
            T3DError: names both widths.
        """
        if self.use_text:
            check_text_width(self.features or self.live_encoder, text_width)

    def check(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Look at all reports before a training with a live encoder begins; see ``ReportTokenizer.check``."""
        for step in self.steps if self.live else ():
            if isinstance(step, TokenizeReportd):
                step.reports.check(items)

    def precompute(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Fill the cache with what is missing; see ``ReportFeatures.precompute``."""
        if self.features:
            self.features.precompute(items)
