"""The pre-training network: one encoder, informed by text, that serves both tasks."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t3d.errors import T3DError
from t3d.losses.contrast import CANDIDATES
from t3d.losses.gather import gather_rows
from t3d.networks.encoders import build_encoder, check_crop, find_backbone
from t3d.networks.heads import ProjectionHead
from t3d.networks.restoration_decoder import RestorationDecoder
from t3d.networks.text_informed import TextInformedEncoder


class PretrainNetwork(nn.Module):
    """Vision encoder (``swinViT`` or ``encoder``), text-informed encoder, projection heads and restoration decoder.

    ``forward(image)`` alone gives the volume embedding. With ``corrupted`` it gives everything the losses need.
    ``use_text=False`` is the vision-only twin: U(F, T) = F, all else alike.

    Shapes: B volumes, K views each, crops (X, Y, Z), N = X*Y*Z / s^3 visual tokens of C channels (s and C those of the
    encoder's deepest map, for Swin 32 and 16 * feature_size), L report tokens of ``text_width`` channels,
    D = ``embedding_width``.

    Args:
        text_width: channels of a report token (768 for RadBERT, 384 for MiniLM).
        embedding_width: D, where similarities are measured (ours).
        use_text: False gives the twin.
        candidates: what the contrast's candidates may read, see ``TextInformedContrast``.
        use_alignment: adds the report head that global alignment, zero-shot and retrieval need.
        text_encoder: module (B, L) token ids -> (B, L, text_width). None where reports come as cached features.
        backbone: family of the vision encoder, see ``t3d.networks.encoders``.
        in_channels, feature_size, window_size, depths, num_heads, drop_path_rate, norm, use_checkpoint: the encoder's;
            None is its own default, and what only another family has is not read.
    """

    def __init__(
        self,
        *,
        backbone: str = "swin",
        in_channels: int = 1,
        feature_size: int = 48,
        window_size: int | None = None,
        depths: Sequence[int] | None = None,
        num_heads: Sequence[int] | None = None,
        drop_path_rate: float | None = None,
        norm: str | None = None,
        use_checkpoint: bool = False,
        text_width: int = 768,
        embedding_width: int = 256,
        use_text: bool = True,
        candidates: str = "image",
        use_alignment: bool = False,
        text_encoder: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if candidates not in CANDIDATES:
            raise T3DError(f"candidates {candidates!r} is unknown; choose one of {', '.join(CANDIDATES)}")
        if use_alignment and not use_text:
            raise T3DError("use_alignment true needs reports, but use_text is false: drop one of the two overlays")
        self.use_text = use_text
        self.candidates = candidates if use_text else "image"
        self.backbone = find_backbone(backbone)
        encoder = build_encoder(
            backbone,
            in_channels=in_channels,
            feature_size=feature_size,
            window_size=window_size,
            depths=depths,
            num_heads=num_heads,
            drop_path_rate=drop_path_rate,
            norm=norm,
            use_checkpoint=use_checkpoint,
        )
        self.add_module(self.backbone.attribute, encoder)
        self.stride, width = encoder.strides[-1], encoder.widths[-1]
        self.image_head = ProjectionHead(width, embedding_width)
        self.decoder = RestorationDecoder(width=width, stride=self.stride, out_channels=in_channels)
        self.text_encoder = text_encoder if use_text else None
        self.fusion = TextInformedEncoder(width=width, text_width=text_width) if use_text else None
        self.report_head = ProjectionHead(text_width, embedding_width) if use_alignment else None

    def forward(
        self,
        image: Tensor,
        *,
        report: Tensor | None = None,
        report_mask: Tensor | None = None,
        corrupted: Tensor | None = None,
        report_id: Tensor | None = None,
        patient: Tensor | None = None,
    ) -> Tensor | dict[str, Tensor]:
        """Embed volumes, or run one pre-training step.

        Args:
            image: (B, C, X, Y, Z), or (B, K, C, X, Y, Z) clean views.
            report: (B, L) token ids, or (B, L, text_width) features.
            report_mask: (B, L) bool, True where a report token may be read.
            corrupted: (B, K, C, X, Y, Z); asks for the output of a training step.
            report_id: (B,) integers, equal for equal reports; handed through to the alignment.
            patient: (B,) integers, equal for studies of one patient; handed through to the losses.

        Returns:
            (B, D) unit volume embeddings without ``corrupted`` (informed by the report if one is given), else a
            dict with ``anchor`` (B, K, D), ``candidate`` (B, K, D) or (B, G, K, D), ``restored``, ``clean`` and
            ``corrupted`` (B, K, C, X, Y, Z), ``volume`` (B, D) and, with alignment, ``report`` (B, D).
        """
        views = image.unsqueeze(1) if image.ndim == 5 else image
        features = self.read_report(report) if self.use_text and report is not None else None
        if corrupted is None:
            tokens = self.tokens(views)
            if features is not None:
                tokens = self._inform(tokens, features, report_mask)
            return F.normalize(self._embed(tokens).mean(dim=1), dim=-1)
        if self.use_text and features is None:
            raise T3DError("use_text is true but the batch has no report; give reports or --use_text False")

        clean_map, corrupted_map = self.encode(torch.cat([views, corrupted])).chunk(2)
        clean = _as_tokens(clean_map)
        fused = _as_tokens(corrupted_map)
        if features is not None:
            fused = self._inform(fused, features, report_mask)
        plain = self._embed(clean)
        output = {
            "anchor": self._embed(fused),
            "candidate": self._candidates(clean, plain, features, report_mask),
            "restored": self._restore(fused, corrupted_map),
            "clean": views,
            "corrupted": corrupted,
            "volume": F.normalize(plain.mean(dim=1), dim=-1),
        }
        if self.report_head is not None:
            output["report"] = self.embed_report(*_given(features, report_mask))
            if report_id is not None:
                output["report_id"] = report_id
        if patient is not None:
            output["patient"] = patient
        return output

    @property
    def vision(self) -> nn.Module:
        """The vision encoder."""
        return self.get_submodule(self.backbone.attribute)

    def encode(self, views: Tensor) -> Tensor:
        """Deepest maps of views (B, K, C, X, Y, Z) -> (B, K, C, X/s, Y/s, Z/s)."""
        batch, count = views.shape[:2]
        crops = views.flatten(0, 1)
        check_crop(crops, stride=self.stride)
        (deepest,) = self.vision(crops, strides=(self.stride,))
        return deepest.unflatten(0, (batch, count))

    def embed_windows(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Deepest maps (N, C, X/s, ..) and unit embeddings (N, D) of windows (N, C, X, Y, Z)."""
        deepest = self.encode(image.unsqueeze(1))[:, 0]
        return deepest, self.image_head(deepest.flatten(2).mean(dim=2))

    def tokens(self, views: Tensor) -> Tensor:
        """Visual tokens F of views (B, K, C, X, Y, Z) -> (B, K, N, C)."""
        return _as_tokens(self.encode(views))

    def read_report(self, report: Tensor) -> Tensor:
        """Token ids (B, L) through the text encoder, or cached features (B, L, D) as they are."""
        if report.is_floating_point():
            return report
        if self.text_encoder is None:
            raise T3DError("the batch holds token ids but the network has no text encoder: give --report_cache True")
        return self.text_encoder(report)

    def embed_report(self, features: Tensor, report_mask: Tensor) -> Tensor:
        """Pooled report embedding (B, D): mean over the visible tokens, projected."""
        if self.report_head is None:
            raise T3DError("this network has no report head; train it with the overlay align.json")
        visible = report_mask.unsqueeze(-1)
        return self.report_head((features * visible).sum(dim=1) / visible.sum(dim=1).clamp_min(1))

    def text_map(self, image: Tensor, report: Tensor, report_mask: Tensor) -> Tensor:
        """Where a text speaks in crops (B, C, X, Y, Z): one value per visual token, (B, 1, X/s, Y/s, Z/s).

        With a report head: cosine between each projected visual token and the text (as in dense CLIP maps).
        Without: how far reading the text moves the token's embedding, 1 - cosine(u_n, v_n) (ours). Both are
        aids for looking at what was learnt, not detections.
        """
        deepest = self.encode(image.unsqueeze(1))
        tokens = _as_tokens(deepest)
        features = self.read_report(report)
        plain = self.image_head(tokens)[:, 0]
        if self.report_head is not None:
            values = torch.einsum("bnd,bd->bn", plain, self.embed_report(features, report_mask))
        else:
            informed = self.image_head(self._inform(tokens, features, report_mask))[:, 0]
            values = 1 - (informed * plain).sum(dim=-1)
        return values.unflatten(1, deepest.shape[3:]).unsqueeze(1)

    def _embed(self, tokens: Tensor) -> Tensor:
        return self.image_head(tokens.mean(dim=-2))

    def _inform(self, tokens: Tensor, features: Tensor | None, report_mask: Tensor | None) -> Tensor:
        # The views of a case share one report and tokens do not see each other, so views join along the query.
        return self._fuse(tokens.flatten(1, 2), features, report_mask).view_as(tokens)

    def _fuse(self, queries: Tensor, features: Tensor | None, report_mask: Tensor | None) -> Tensor:
        if self.fusion is None:
            raise T3DError("this network was built with use_text false, so it reads no report: give it none")
        return self.fusion(queries, *_given(features, report_mask))

    def _candidates(self, clean: Tensor, plain: Tensor, features: Tensor | None, report_mask: Tensor | None) -> Tensor:
        if self.candidates == "image":
            return plain
        if self.candidates == "own_report":
            return self._embed(self._inform(clean, features, report_mask))
        everyone = gather_rows(clean)  # (G, K, N, C)
        queries = everyone.flatten(0, 2).unsqueeze(0).expand(clean.shape[0], -1, -1)
        fused = self._fuse(queries, features, report_mask)
        return self._embed(fused.unflatten(1, everyone.shape[:3]))

    def _restore(self, fused: Tensor, like: Tensor) -> Tensor:
        deepest = fused.flatten(0, 1).transpose(1, 2).unflatten(2, like.shape[3:])
        return self.decoder(deepest).unflatten(0, like.shape[:2])


def _as_tokens(deepest: Tensor) -> Tensor:
    return deepest.flatten(3).transpose(2, 3)


def _given(features: Tensor | None, report_mask: Tensor | None) -> tuple[Tensor, Tensor]:
    if features is None or report_mask is None:
        raise T3DError("a report is features and a mask: give both report and report_mask")
    return features, report_mask
