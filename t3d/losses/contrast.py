"""Text-informed contrastive learning (TIC)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t3d.errors import T3DError
from t3d.losses.gather import first_row, gather_rows, other_studies

CANDIDATES = ("image", "shared_report", "own_report")


class TextInformedContrast(nn.Module):
    """InfoNCE of a text-informed view against *another* view of every volume in the global batch.

    The anchor is u(i, k | R_i). Anchors and candidates come as aligned pairs: anchor q of a volume belongs to its
    candidate q, another view of it, and is told from candidate q of the other volumes. What the candidates may read
    decides whether the task can be solved without looking at the image; the network builds them (see
    ``PretrainNetwork``), this loss only compares:

    - ``image``: (B, Q, D) plain views, gathered over processes;
    - ``own_report``: (B, Q, D) views informed by their own report, gathered (ablation: total text leak);
    - ``shared_report``: (B, G, Q, D), all G candidates of the global batch informed by the anchor's report.

    Other studies of the anchor's patient are no candidates: telling them apart would teach what changed since, not
    what is there. Source: arXiv 2312.01529; the leak-free forms, their default and this are ours.
    """

    def __init__(self, *, temperature: float = 0.1) -> None:
        super().__init__()
        if temperature <= 0:
            raise T3DError(f"temperature {temperature} must be above 0; 0.07 to 0.1 are usual")
        self.temperature = temperature

    def forward(self, anchor: Tensor, candidate: Tensor, patient: Tensor | None = None) -> Tensor:
        """Mean cross-entropy over all volumes and pairs.

        Args:
            anchor: (B, Q, D) unit vectors.
            candidate: (B, Q, D), or (B, G, Q, D) informed by the anchor's report and already global.
            patient: (B,) integers, equal for studies of one patient; None takes all as different.
        """
        if candidate.ndim == 3:
            candidate = gather_rows(candidate)
        exact = torch.promote_types(anchor.dtype, torch.float32)  # bf16 cannot tell close candidates apart
        with torch.autocast(anchor.device.type, enabled=False):
            logits = pair_similarities(anchor.to(exact), candidate.to(exact)) / self.temperature  # (Q, B, G)
        pairs, rows, width = logits.shape
        if width < 2:
            raise T3DError("the contrast has one volume and nothing to tell it from: set batch_size to 2 or more")
        if patient is not None:
            logits = logits.masked_fill(other_studies(patient), -torch.inf)
        own = first_row(rows) + torch.arange(rows, device=logits.device)
        return F.cross_entropy(logits.reshape(pairs * rows, width), own.repeat(pairs))


def pair_similarities(anchor: Tensor, candidate: Tensor) -> Tensor:
    """Similarities of every anchor to the candidates of its own place in the pairs.

    Args:
        anchor: (B, Q, D).
        candidate: (G, Q, D), or (B, G, Q, D) when each anchor has candidates of its own.

    Returns:
        (Q, B, G).
    """
    return torch.einsum("bqd,gqd->qbg" if candidate.ndim == 3 else "bqd,bgqd->qbg", anchor, candidate)


def contrast_losses(anchor: Tensor, candidate: Tensor, *, temperature: float, patient: Tensor | None = None) -> Tensor:
    """InfoNCE of each case among the B volumes of this process, mean over its pairs, (B,); arguments: `top1_hits`.

    Continuous where a hit is yes or no, so that a small difference between two reports shows.
    """
    logits = _comparable(anchor, candidate, patient) / temperature
    return -torch.diagonal(logits.log_softmax(dim=2), dim1=1, dim2=2).mean(dim=0)


def top1_hits(anchor: Tensor, candidate: Tensor, patient: Tensor | None = None) -> Tensor:
    """Share of pairs of views in which each anchor finds its own volume, (B,) in [0, 1], within the local batch.

    Every form of candidates is scored among the B volumes of this process, so that chance is 1 / B for all of them
    and with any number of processes. Ties count as misses: a constant embedding must not score.

    Args:
        anchor: (B, Q, D).
        candidate: (B, Q, D) of this process, or (B, G, Q, D) of all processes, of which its own B are compared.
        patient: (B,) integers, equal for studies of one patient, which are no rivals; None takes all as different.
    """
    similarities = _comparable(anchor, candidate, patient)
    own = torch.diagonal(similarities, dim1=1, dim2=2)  # (Q, B)
    rivals = similarities.masked_fill(
        torch.eye(similarities.shape[1], dtype=torch.bool, device=similarities.device), -torch.inf
    )
    return (own > rivals.amax(dim=2)).float().mean(dim=0)


def _comparable(anchor: Tensor, candidate: Tensor, patient: Tensor | None) -> Tensor:
    """Similarities (Q, B, B) within this process; -inf for other studies of a patient."""
    rows = len(anchor)
    if candidate.ndim == 4:
        candidate = candidate[:, first_row(rows) : first_row(rows) + rows]
    similarities = pair_similarities(anchor, candidate)
    if patient is None:
        return similarities
    own = torch.eye(rows, dtype=torch.bool, device=anchor.device)
    return similarities.masked_fill((patient.unsqueeze(1) == patient) & ~own, -torch.inf)
