"""The report's side of pre-training: one object for the text encoder, its cache and the steps of an item."""

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from monai.transforms import Transform

from t3d.data.wordings import every_wording
from t3d.errors import T3DError
from t3d.networks.pretrain import PretrainNetwork
from t3d.networks.text_encoder import TextEncoder, load_tokenizer
from t3d.networks.text_encoder_folder import check_identity
from t3d.networks.text_scale import TextScale
from t3d.reports.features import ReportFeatures, check_text_width
from t3d.reports.opposite_features import OppositeFeatures
from t3d.reports.sections import SECTIONS
from t3d.reports.sentence_clusters import cluster_sentences
from t3d.reports.sentence_features import SentenceFeatures
from t3d.reports.text_scale import sentence_moments, token_moments
from t3d.transforms.report import EncodeReportd, TokenizeReportd
from t3d.transforms.report_opposites import OppositesOfReportd
from t3d.transforms.report_sentences import SentencesOfReportd

logger = logging.getLogger(__name__)


class ReportSide:
    """How reports reach the network: not at all, as tokens for a live encoder, or as features from a cache.

    Nothing is loaded before it is asked for, so that a configuration can be looked at where the encoder is not.

    Args:
        use_text: False: there is no report side.
        report_cache: features computed once by a frozen encoder; False: the encoder is part of the network.
        text_encoder, revision, trained_layers: see ``TextEncoder``.
        max_tokens, sections, drop_comparisons: see ``ReportTokenizer``.
        cache_dir: folder of the features; those of sentences lie in its folder ``sentences``.
        use_sentences: items also have what the report says sentence by sentence (``SentencesOfReportd``), from a
            frozen encoder in any case.
        sentence_sections: whose sentences are asked, see ``spoken_sentences``.
        use_opposites: with sentences, items also have their opposites (``OppositesOfReportd``).

    Attributes:
        recorded: what a record beside the weights keeps of it, under the names of the options.
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
        use_sentences: bool = False,
        sentence_sections: Sequence[str] = ("impression",),
        use_opposites: bool = False,
    ) -> None:
        self.use_text, self.live, self.cached = use_text, use_text and not report_cache, use_text and report_cache
        self.cache_dir = cache_dir
        self.use_sentences, self._sentence_sections = use_text and use_sentences, sentence_sections
        self.use_opposites = self.use_sentences and use_opposites
        self._encoder = partial(TextEncoder, name=text_encoder, revision=revision, trained_layers=trained_layers)
        self._frozen = partial(TextEncoder, name=text_encoder, revision=revision)
        self._tokenizer = partial(load_tokenizer, name=text_encoder, revision=revision)
        self._options: dict[str, Any] = {
            "max_tokens": max_tokens,
            "sections": sections,
            "drop_comparisons": drop_comparisons,
        }
        # a folder is recorded as where it lies, wherever a later stage starts
        folder = os.path.abspath(text_encoder) if text_encoder and os.path.isdir(text_encoder) else None
        self.recorded: dict[str, Any] = {
            "text_encoder": folder or text_encoder,
            "text_revision": revision,
            **self._options,
            "report_cache": report_cache,
            "sentence_sections": sentence_sections,
            "trained_text_layers": trained_layers,
        }

    def record(self) -> dict[str, Any]:
        """``recorded``, and which text encoder it was (``text_identity``), for which it may have to be read."""
        source = self._source()
        return {**self.recorded, **({"text_identity": source.identity} if source is not None else {})}

    def check_trained_with(self, recorded: Mapping[str, Any], *, ignore: bool = False) -> None:
        """Refuse another text encoder, or reports that are read otherwise, than in the training.

        Args:
            recorded: ``record`` of the training, with what else; what it does not say is not compared.
            ignore: log reports that are read otherwise instead of raising.

        Raises:
            T3DError: see above, and ``check_identity``.
        """
        source = self._source()
        if source is None:
            return
        check_identity(source.identity, recorded.get("text_identity"))
        names = [*self._options, *(["sentence_sections"] if self.use_sentences else [])]
        there, here = (
            {name: list(value) if isinstance(value, tuple) else value for name, value in record.items()}
            for record in (recorded, self.recorded)
        )
        differ = [name for name in names if name in there and there[name] != here[name]]
        if not differ:
            return
        said = "; ".join(f"{name} {there[name]} there, {here[name]} here" for name in differ)
        message = f"the network was trained on reports that were read otherwise: {said}"
        if not ignore:
            raise T3DError(f"{message}. Give --{' and --'.join(differ)} as there, or --ignore_preprocessing True")
        logger.warning("%s (ignored as asked)", message)

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
    def sentences(self) -> SentenceFeatures | None:
        """The cache of sentences, or None."""
        return SentenceFeatures(**self._of_sentences("sentences")) if self.use_sentences else None

    @cached_property
    def opposites(self) -> OppositeFeatures | None:
        """The cache of the sentences' opposites, or None."""
        if not self.use_opposites or self.sentences is None:
            return None
        return OppositeFeatures(self.sentences, **self._of_sentences("opposites"))

    @cached_property
    def steps(self) -> list[Transform]:
        """What replaces an item's text by what the network takes: none, one transform, or two with sentences."""
        said: list[Transform] = [SentencesOfReportd("report", features=self.sentences)] if self.sentences else []
        said += [OppositesOfReportd("report", features=self.opposites)] if self.opposites else []
        if self.cached:
            return [*said, EncodeReportd("report", features=self.features)]
        return [*said, TokenizeReportd("report", tokenizer=self._tokenizer(), **self._options)] if self.live else []

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
                step.reports.check(every_wording(items))

    def precompute(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Fill the cache with what is missing; see ``ReportFeatures.precompute``."""
        items = list(every_wording(items))
        if self.features:
            self.features.precompute(items)
        if self.sentences:
            self.sentences.precompute(items)
        if self.opposites:
            self.opposites.precompute(items)

    def text_scale(self, items: Iterable[Mapping[str, Any]]) -> TextScale | None:
        """Centre and scale of what the network reads over the distinct reports of a list, the one that is learnt from.

        Equal on every process and for every order of the items; all are read from the cache, after ``precompute``.
        Tokens of a live encoder, which change, have the centre 0 and the scale 1, as sentences have where there are
        none.

        Returns:
            None without text.

        Raises:
            T3DError: a report is missing or empty.
        """
        if not self.use_text:
            return None
        items = list(every_wording(items))
        width = self._width()
        token = sentence = (torch.zeros(width), torch.ones(width))
        if self.features:
            token = token_moments(self.features, items).scale()
        if self.sentences:
            sentence = sentence_moments(self.sentences, items).scale()
        return TextScale(*token, *sentence)

    def _source(self) -> ReportFeatures | SentenceFeatures | TextEncoder | None:
        """What reads the text; None without text."""
        return self.features or self.sentences or self.live_encoder

    def _width(self) -> int:
        source = self._source()
        assert source is not None  # one of them reads the text
        return source.width

    def set_scale(self, network: PretrainNetwork, items: Iterable[Mapping[str, Any]]) -> None:
        """Give a network the numbers of the list that it learns from, and its clusters of sentences where it has them.

        Texts are standardised by them only where the network does that; see ``text_scale``.
        """
        items = list(items)
        scale = self.text_scale(items) if network.text_scale is not None else None
        if scale is not None:
            network.set_text_scale(scale)
        clusters = network.text_clusters
        if clusters is not None and self.sentences is not None:
            count = len(clusters.share)
            reports = every_wording(items)
            clusters.set(*cluster_sentences(self.sentences, reports, count=count, scale=scale))

    def _of_sentences(self, folder: str) -> dict[str, Any]:
        """What the caches of sentences have in common."""
        return {
            "encoder": partial(self._frozen_encoder),
            "tokenizer": self._tokenizer,
            "cache_dir": Path(self.cache_dir) / folder,
            "max_tokens": self._options["max_tokens"],
            "sections": self._sentence_sections,
        }

    def _frozen_encoder(self) -> TextEncoder:
        """The encoder of the reports' features where there is one, so that it is loaded once."""
        loaded = self.features.loaded() if self.features else None
        if loaded is not None:
            return loaded
        # transformers draw weights before they read them: one encoder more must not change how the network begins
        with torch.random.fork_rng(devices=[]):
            return self._frozen()
