"""Texts in the space of the volume embeddings."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from t3d.errors import T3DError
from t3d.infer.spoken_embeddings import embed_spoken
from t3d.networks.pretrain import PretrainNetwork
from t3d.networks.text_encoder import TextEncoder, load_tokenizer
from t3d.networks.text_encoder_folder import check_identity
from t3d.reports.features import ReportFeatures, check_text_width
from t3d.reports.sections import SECTIONS
from t3d.reports.tokens import ReportTokenizer


class TextEmbeddings:
    """Embeds texts with the text encoder and the head that a network was trained with.

    That is the report head of a global alignment (``align.json``), or the sentence head, see ``embed_spoken``.

    Args:
        network: ``PretrainNetwork`` with one of the two.
        text_encoder, revision, max_tokens, sections, drop_comparisons, sentence_sections: as in the training.
        identity: of the text encoder of the training (``text_identity`` of its record); None is not compared.
        cache_dir: folder of report features (``ReportFeatures``) that are used and added to; None keeps nothing on
            disk. Not used where the text encoder learnt, and so is part of the network.

    Attributes:
        reports: the ``ReportTokenizer``.
    """

    def __init__(
        self,
        *,
        network: PretrainNetwork,
        text_encoder: str,
        revision: str | None = None,
        max_tokens: int = 512,
        sections: Sequence[str] = SECTIONS,
        drop_comparisons: bool = False,
        sentence_sections: Sequence[str] = ("impression",),
        identity: str | None = None,
        cache_dir: str | None = None,
    ) -> None:
        self.network = network
        self.name = text_encoder
        self.revision = revision
        self.identity = identity
        self.cache_dir = cache_dir
        self.sentence_sections = sentence_sections
        self.options: dict[str, Any] = {
            "max_tokens": max_tokens,
            "sections": sections,
            "drop_comparisons": drop_comparisons,
        }
        self._reports: ReportTokenizer | None = None

    @property
    def reports(self) -> ReportTokenizer:
        """The tokenizer that cleans and cuts texts as the training did."""
        if self._reports is None:
            self._reports = ReportTokenizer(load_tokenizer(self.name, revision=self.revision), **self.options)
        return self._reports

    @torch.no_grad()
    def __call__(self, texts: Sequence[str], names: Sequence[str], *, batch_size: int = 32) -> Tensor:
        """Embed texts: N texts -> (N, D) unit vectors, float32 on the CPU.

        Args:
            texts: reports or sentences.
            names: what an error calls each of them (a case id).
            batch_size: texts per pass.

        Raises:
            T3DError: the network has neither head, a text is empty, or the text encoder is another one.
        """
        head = getattr(self.network, "report_head", None)
        if head is None and getattr(self.network, "sentence_head", None) is None:
            raise T3DError(
                "this network has no head for texts, so texts and volumes share no space; train it with "
                "--sentence_weight or --alignment_weight above 0, or choose the ckpt_dir of such a training"
            )
        if head is None:
            return embed_spoken(
                self.network,
                texts,
                names,
                encoder=self._frozen(next(self.network.parameters()).device),
                tokenizer=self.reports.tokenizer,
                max_tokens=self.options["max_tokens"],
                sections=self.sentence_sections,
                cache_dir=self.cache_dir,
            )
        device = next(head.parameters()).device
        read = self._reader(texts, names, device, head.in_width)
        rows = []
        for start in range(0, len(texts), batch_size):
            features, mask = read(slice(start, start + batch_size))
            rows.append(self.network.embed_report(features.to(device), mask.to(device)).float().cpu())
        return torch.cat(rows)

    def _frozen(self, device: torch.device) -> TextEncoder:
        encoder = TextEncoder(self.name, revision=self.revision)
        check_identity(encoder.identity, self.identity)
        return encoder.to(device)

    def _reader(
        self, texts: Sequence[str], names: Sequence[str], device: torch.device, head_width: int
    ) -> Callable[[slice], tuple[Tensor, Tensor]]:
        own = cast(TextEncoder | None, self.network.text_encoder)
        if own is not None:
            check_identity(own.identity, self.identity)
        encoder = own if own is not None else self._frozen(device)
        check_text_width(encoder, head_width)
        if own is None and self.cache_dir is not None:
            cache = ReportFeatures(
                encoder=encoder, tokenizer=self.reports.tokenizer, cache_dir=self.cache_dir, **self.options
            )
            items = [{"report": text, "case_id": name} for text, name in zip(texts, names, strict=True)]
            cache.precompute(items)

            def read_cached(part: slice) -> tuple[Tensor, Tensor]:
                found = [cache.get(text, name) for text, name in zip(texts[part], names[part], strict=True)]
                return torch.stack([features for features, _, _ in found]), torch.stack([mask for _, mask, _ in found])

            return read_cached

        def read_live(part: slice) -> tuple[Tensor, Tensor]:
            tokens = [self.reports(text, name).ids for text, name in zip(texts[part], names[part], strict=True)]
            ids = pad_sequence(tokens, batch_first=True, padding_value=self.reports.pad_id).to(device)
            lengths = torch.tensor([len(one) for one in tokens], device=device)
            mask = torch.arange(ids.shape[1], device=device) < lengths[:, None]
            return encoder(ids), mask

        return read_live
