"""The pre-training network: one encoder, informed by text and asked for what texts say."""

from typing import Any

from torch import Tensor

from t3d.errors import T3DError
from t3d.networks.heads import unit
from t3d.networks.sentence_side import sentence_side
from t3d.networks.text_image_encoder import TextImageEncoder
from t3d.networks.tokens import given
from t3d.networks.view_side import view_side

# what version 0.1 had no arguments for; its records of trainings do not name them, and its weights fit nothing else
VERSION_0_1: dict[str, Any] = {
    "fuse_stride": None,
    "fusion_norm": "post",
    "own_heads": False,
    "head_norm": "none",
    "pooling": ("mean",),
    "standardise_text": False,
}


class PretrainNetwork(TextImageEncoder):
    """Vision encoder (``swinViT`` or ``encoder``), text-informed encoder, heads and restoration decoder.

    ``forward(image)`` alone gives the volume embedding. With ``corrupted``, or with ``windows``, it gives everything
    the losses need. ``use_text=False`` is the vision-only twin: U(F, T) = F, all else alike.

    Shapes: B volumes, K views each, crops (X, Y, Z), N = X*Y*Z / s^3 visual tokens of C channels (s = ``fuse_stride``
    and C the channels of that map), L report tokens of ``text_width`` = T channels, W windows for the text, R
    sentences of a report of which S are asked for, D = ``embedding_width``.

    Args:
        text_width: channels of a report token (768 for RadBERT, 384 for MiniLM).
        embedding_width: D, where similarities are measured (ours).
        fuse_stride: voxels a side of the tokens that read the report and are decoded: 8, 16 or 32, of those that the
            backbone has. Deeper maps are added to that one, see ``Laterals``. None is the deepest map alone.
        fusion_norm: "pre" or "post", see ``TextInformedEncoder``.
        own_heads: whether anchors have a head of their own beside that of the candidates.
        head_norm: "batch" or "none", of the heads for crops, see ``ProjectionHead``.
        pooling: statistics over a crop's tokens that the contrast compares, see ``Pooling``.
        use_text: False gives the twin.
        standardise_text: whether text features are standardised, see ``set_text_scale``.
        candidates: what the contrast's candidates may read, see ``TextInformedContrast``.
        use_contrast, use_restoration: False leaves out the modules of a task that has no weight.
        use_sentences: adds the volume and the sentence head that the sentence contrast needs; volumes are then
            embedded by the mean, maximum and minimum of all their windows' tokens.
        use_alignment: adds the report head that global alignment, zero-shot and retrieval need.
        sentence_clusters: K clusters of the training sentences that volumes are labelled by; 0 for none.
        text_chunk: windows that are encoded at once for the text.
        view_chunk: crops of views that are encoded at once, those of a volume at least.
        text_encoder: module (B, L) token ids -> (B, L, text_width). None where reports come as cached features.
        backbone: family of the vision encoder, see ``t3d.networks.encoders``.
        in_channels, feature_size, window_size, depths, num_heads, drop_path_rate, norm, stem_stride, use_checkpoint:
            the encoder's; None is its own default, and what only another family has is not read.

    The network of version 0.1 is that of ``VERSION_0_1``; its recipe corrupts all views.
    """

    def forward(
        self,
        image: Tensor,
        *,
        report: Tensor | None = None,
        report_mask: Tensor | None = None,
        corrupted: Tensor | None = None,
        report_id: Tensor | None = None,
        patient: Tensor | None = None,
        windows: Tensor | None = None,
        window_mask: Tensor | None = None,
        said: Tensor | None = None,
        said_mask: Tensor | None = None,
        drawn: Tensor | None = None,
        opposite: Tensor | None = None,
    ) -> Tensor | dict[str, Tensor]:
        """Embed volumes, or run one pre-training step.

        Args:
            image: (B, C, X, Y, Z), or (B, K, C, X, Y, Z) clean views. Not read in a step of sentences alone.
            report: (B, L) token ids, or (B, L, text_width) features.
            report_mask: (B, L) bool, True where a report token may be read.
            corrupted: of all views, or of the first half of them, see ``pair_views``; asks for the output of a
                training step.
            report_id: (B,) integers, equal for equal reports; handed through to the alignment.
            patient: (B,) integers, equal for studies of one patient; handed through to the losses.
            windows: (B, W, C, X, Y, Z) windows of the whole volume, which sentences are about; asks for a step, too.
            window_mask: (B, W) bool, True for windows that count; None counts all.
            said: (B, R, T) frozen features of every sentence of the reports, padded.
            said_mask: (B, R) bool, True where there is a sentence.
            drawn: (B, S) rows of ``said`` that are asked for, -1 for none.
            opposite: (B, R, T) frozen features of the opposites of ``said``, equal to it where there is none.

        Returns:
            (B, D) unit volume embeddings without ``corrupted`` and ``windows`` (informed by the report if one is
            given), else a dict of what the recipe's tasks need: ``anchor`` (B, Q, D) and ``candidate`` (B, Q, D) or
            (B, G, Q, D), pairs side by side; ``restored``, ``clean`` and ``corrupted`` (B, P, C, X, Y, Z); ``volume``
            (B, D); with sentences ``sentence`` (B * S, D), ``spoken`` (B * S, T), ``owner`` (B * S,), which is -1
            where nothing is asked, ``said`` and ``said_mask``, features standardised where the network does that, and
            what ``sentence_side`` adds; with alignment ``report`` (B, D).
        """
        reads = self.fusion is not None or self.report_head is not None
        features = self.read_report(report) if reads and report is not None else None
        if corrupted is None and windows is None:
            return self._embed(image.unsqueeze(1) if image.ndim == 5 else image, features, report_mask)
        if reads and features is None:
            raise T3DError("use_text is true but the batch has no report; give reports or --use_text False")
        output: dict[str, Tensor] = {}
        if corrupted is not None and (self.use_contrast or self.decoder is not None or windows is None):
            compares_volumes = self.use_contrast or self.report_head is not None or not self.training
            embed = (windows is None or not self.use_sentences) and compares_volumes
            output |= view_side(self, image, corrupted, features, report_mask, embed=embed)
        if windows is not None and self.use_sentences:
            output |= sentence_side(
                self,
                windows,
                window_mask=window_mask,
                said=said,
                said_mask=said_mask,
                drawn=drawn,
                opposite=opposite,
            )
        if self.report_head is not None:
            output["report"] = self.embed_report(*given(features, report_mask))
            if report_id is not None:
                output["report_id"] = report_id
        if patient is not None:
            output["patient"] = patient
        return output

    def _embed(self, views: Tensor, features: Tensor | None, report_mask: Tensor | None) -> Tensor:
        tokens = self.tokens(views)
        if features is None:
            return self.embed_volumes(self.summary.tokens(tokens))
        informed = self.inform(tokens, features, report_mask)
        return unit(self.embed_anchor(self.pooling.tokens(informed)).mean(dim=1))
