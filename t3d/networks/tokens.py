"""Tokens of maps and of reports, in the shapes that the pre-training network passes on."""

from torch import Tensor

from t3d.errors import T3DError


def as_tokens(maps: Tensor) -> Tensor:
    """Maps (B, K, C, X, Y, Z) as tokens (B, K, N, C)."""
    return maps.flatten(3).transpose(2, 3)


def given(features: Tensor | None, report_mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Both parts of a report.

    Raises:
        T3DError: one of them is missing.
    """
    if features is None or report_mask is None:
        raise T3DError("a report is features and a mask: give both report and report_mask")
    return features, report_mask


def mean_token(features: Tensor, report_mask: Tensor) -> Tensor:
    """Mean (B, T) over the visible tokens of features (B, L, T) with a mask (B, L)."""
    visible = report_mask.unsqueeze(-1)
    return (features * visible).sum(dim=1) / visible.sum(dim=1).clamp_min(1)
