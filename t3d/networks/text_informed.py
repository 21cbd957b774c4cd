"""The text-informed encoder: what a crop shows, read together with its report."""

from torch import Tensor, nn

from t3d.errors import T3DError

FUSION_NORMS = ("pre", "post")


class TextInformedEncoder(nn.Module):
    """U(F, T): cross-attention with visual tokens as query and report tokens as key and value.

    Residual, so the output keeps one vector per visual token and stays a spatial map (arXiv 2312.01529, text-informed
    tasks). Visual tokens do not see each other here, which is what lets many crops be informed by one report in a
    single call.

    Args:
        width: channels C of a visual token.
        text_width: channels D of a report token.
        num_heads: attention heads; must divide ``width``. None takes 6 where they do (Swin's widths), else 8.
        norm: "pre" is a transformer's block, x + attention(norm(x)) and then x + perceptron(norm(x)); "post" the
            paper's norm(x + attention(x)).
    """

    def __init__(self, *, width: int, text_width: int, num_heads: int | None = None, norm: str = "pre") -> None:
        super().__init__()
        if norm not in FUSION_NORMS:
            raise T3DError(f"fusion_norm {norm!r} is unknown; choose one of {', '.join(FUSION_NORMS)}")
        num_heads = num_heads or (6 if width % 6 == 0 else 8)
        # Text encoders give tokens of different size (mean norm measured: MiniLM 3.7, the tiny BERT 8.0): without a
        # common scale small ones make the attention uniform, and a uniform mean hardly differs between reports.
        self.report_norm = nn.LayerNorm(text_width)
        self.attention = nn.MultiheadAttention(width, num_heads, kdim=text_width, vdim=text_width, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.perceptron = (
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
            if norm == "pre"
            else None
        )

    def forward(self, tokens: Tensor, report: Tensor, report_mask: Tensor) -> Tensor:
        """Inform visual tokens with the visible report tokens.

        Args:
            tokens: (B, N, C).
            report: (B, L, D).
            report_mask: (B, L) bool, True where a token may be read.

        Returns:
            (B, N, C).
        """
        report = self.report_norm(report)
        asking = tokens if self.perceptron is None else self.norm(tokens)
        read, _ = self.attention(asking, report, report, key_padding_mask=~report_mask, need_weights=False)
        return self.refine(tokens + read)

    def refine(self, tokens: Tensor) -> Tensor:
        """The second half of the block; of tokens alone it is what ``forward`` gives where nothing is read."""
        if self.perceptron is None:
            return self.norm(tokens)
        return tokens + self.perceptron(tokens)
