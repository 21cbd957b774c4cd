"""Volumes and texts as vectors: the part of the pre-training network that is used after the training."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from t3d.errors import T3DError
from t3d.losses.contrast import CANDIDATES
from t3d.networks.crop_encoder import CropEncoder
from t3d.networks.heads import ProjectionHead, VolumeHead, unit
from t3d.networks.pooling import POOLINGS, counted_windows
from t3d.networks.restoration_decoder import RestorationDecoder
from t3d.networks.text_clusters import TextClusters
from t3d.networks.text_informed import TextInformedEncoder
from t3d.networks.text_scale import TextScale, TextScaling
from t3d.networks.tokens import given, mean_token


class TextImageEncoder(CropEncoder):
    """The modules of ``PretrainNetwork``, whose arguments these are, and what they say of windows and texts.

    Modules that no task of the recipe uses are not made, so that every parameter gets a gradient in every step.
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
        stem_stride: int | None = None,
        use_checkpoint: bool = False,
        fuse_stride: int | None = 16,
        fusion_norm: str = "pre",
        own_heads: bool = True,
        head_norm: str = "batch",
        pooling: Sequence[str] = ("mean", "max"),
        text_width: int = 768,
        embedding_width: int = 256,
        use_text: bool = True,
        standardise_text: bool = True,
        candidates: str = "image",
        use_contrast: bool = True,
        use_restoration: bool = True,
        use_sentences: bool = False,
        use_alignment: bool = False,
        sentence_clusters: int = 0,
        text_chunk: int = 4,
        view_chunk: int = 16,
        text_encoder: nn.Module | None = None,
    ) -> None:
        if candidates not in CANDIDATES:
            raise T3DError(f"candidates {candidates!r} is unknown; choose one of {', '.join(CANDIDATES)}")
        if use_alignment and not use_text:
            raise T3DError("use_alignment true needs reports, but use_text is false: drop one of the two overlays")
        if use_sentences and not use_text:
            raise T3DError("use_sentences true needs reports, but use_text is false: set one of the two otherwise")
        for name, chunk in (("text_chunk", text_chunk), ("view_chunk", view_chunk)):
            if chunk < 1:
                raise T3DError(f"{name} {chunk} must be 1 or more: so many crops are encoded at once")
        super().__init__(
            backbone=backbone,
            fuse_stride=fuse_stride,
            pooling=pooling,
            summary=POOLINGS if use_sentences else None,
            in_channels=in_channels,
            feature_size=feature_size,
            window_size=window_size,
            depths=depths,
            num_heads=num_heads,
            drop_path_rate=drop_path_rate,
            norm=norm,
            stem_stride=stem_stride,
            use_checkpoint=use_checkpoint,
        )
        self.use_text, self.use_sentences, self.use_contrast = use_text, use_sentences, use_contrast
        self.candidates = candidates if use_text else "image"
        self.text_chunk, self.view_chunk = text_chunk, view_chunk
        width = self.width
        crop_width = len(self.pooling) * width
        compares_crops = use_contrast or (use_alignment and not use_sentences)
        self.image_head = ProjectionHead(crop_width, embedding_width, norm=head_norm) if compares_crops else None
        self.decoder = (
            RestorationDecoder(width=width, stride=self.fuse_stride, out_channels=in_channels)
            if use_restoration
            else None
        )
        fuses = use_text and (use_contrast or use_restoration)
        self.text_encoder = text_encoder if fuses or use_alignment else None
        self.fusion = TextInformedEncoder(width=width, text_width=text_width, norm=fusion_norm) if fuses else None
        self.report_head = ProjectionHead(text_width, embedding_width) if use_alignment else None
        # below here nothing that version 0.1 had: its modules take the random numbers that they took then
        own = own_heads and use_contrast
        self.anchor_head = ProjectionHead(crop_width, embedding_width, norm=head_norm) if own else None
        self.volume_head = VolumeHead(self.pooled_width, width, embedding_width) if use_sentences else None
        self.sentence_head = ProjectionHead(text_width, embedding_width) if use_sentences else None
        self.text_scale = TextScaling(text_width) if use_text and standardise_text else None
        clusters = use_sentences and sentence_clusters
        self.text_clusters = TextClusters(sentence_clusters, text_width) if clusters else None

    def set_text_scale(self, scale: TextScale) -> None:
        """Standardise texts by these numbers from now on, see ``TextScaling.set``; not where texts are read raw."""
        if self.text_scale is not None:
            self.text_scale.set(scale)

    def embed_pooled(self, pooled: Tensor) -> Tensor:
        """Unit embedding (1, D) of one volume from the statistics of its windows (W, k C)."""
        return self.embed_volumes(pooled.unsqueeze(0))

    def embed_volumes(self, pooled: Tensor, mask: Tensor | None = None) -> Tensor:
        """Unit embeddings (B, D) of volumes from the statistics of their windows.

        With sentence targets of all counted windows' tokens together, else the mean of the windows' own embeddings.

        Args:
            pooled: (B, W, k C).
            mask: (B, W) bool, windows that count; None, or a row without any, counts all.
        """
        if self.volume_head is not None:
            return self.volume_head(self.summary.windows(pooled, mask))
        embedded = self.embed_each(pooled)
        if mask is None:
            return unit(embedded.mean(dim=1))
        counted = counted_windows(pooled, mask).unsqueeze(-1)
        return unit((embedded * counted).sum(dim=1))

    def embed_sentence(self, features: Tensor) -> Tensor:
        """Unit vectors (S, D) of sentences from their frozen features (S, T), not standardised."""
        if self.sentence_head is None:
            raise T3DError("this network has no sentence head; train it with sentence_weight above 0")
        features = features.to(torch.promote_types(features.dtype, torch.float32))  # files may hold half precision
        return self.sentence_head(features if self.text_scale is None else self.text_scale.sentences(features))

    def embed_clusters(self) -> Tensor:
        """Unit vectors (K, D) of the centres of the sentences' clusters."""
        assert self.sentence_head is not None and self.text_clusters is not None
        return self.sentence_head(self.text_clusters.centre)

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
        return self.report_head(mean_token(self._scaled(features), report_mask))

    def embed_anchor(self, pooled: Tensor) -> Tensor:
        """Unit embeddings (.., D) of pooled informed tokens (.., k C), by the anchors' head where they have one."""
        return self.embed_candidate(pooled) if self.anchor_head is None else self.anchor_head(pooled)

    def embed_candidate(self, pooled: Tensor) -> Tensor:
        """Unit embeddings (.., D) of pooled tokens (.., k C); those alone where nothing compares crops."""
        return unit(pooled) if self.image_head is None else self.image_head(pooled)

    def inform(self, tokens: Tensor, features: Tensor | None, report_mask: Tensor | None) -> Tensor:
        """U(F, T): tokens (B, K, N, C) of views that share one report, (B, L, T) features with a mask (B, L)."""
        # tokens do not see each other, so views join along the query
        return self.fuse(tokens.flatten(1, 2), features, report_mask).view_as(tokens)

    def fuse(self, queries: Tensor, features: Tensor | None, report_mask: Tensor | None) -> Tensor:
        """U(F, T) of any tokens (B, N, C)."""
        if self.fusion is None:
            raise T3DError(
                "this network was built with use_text false, or for sentence targets alone, so it informs no crop by "
                "a report: give it none"
            )
        features, report_mask = given(features, report_mask)
        return self.fusion(queries, self._scaled(features), report_mask)

    def embed_each(self, pooled: Tensor) -> Tensor:
        """Unit embeddings (.., D) of pooled tokens (.., k C), each as if it were all of a volume."""
        if self.volume_head is not None:
            return self.volume_head(pooled)
        return self.embed_candidate(pooled)

    def _scaled(self, features: Tensor) -> Tensor:
        return features if self.text_scale is None else self.text_scale.tokens(features)
