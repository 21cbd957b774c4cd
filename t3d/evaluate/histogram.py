"""A control without a network: can a histogram of intensities find the other view of a volume?"""

import torch
from torch import Tensor

BINS = 26


def view_histograms(views: Tensor, *, bins: int = BINS) -> Tensor:
    """Share of voxels per bin of [0, 1], (.., C, X, Y, Z) -> (.., bins); what lies outside counts at the ends."""
    flat = views.flatten(-4).float()
    place = (flat * bins).long().clamp(0, bins - 1)
    counts = torch.zeros(*flat.shape[:-1], bins, device=views.device)
    return counts.scatter_add_(-1, place, torch.ones_like(flat)) / flat.shape[-1]


def histogram_hits(anchor: Tensor, candidate: Tensor, patient: Tensor | None = None) -> Tensor:
    """Whether each anchor's nearest candidate by histogram is its own volume's, (B,) in [0, 1] (ours).

    What a network must beat: a contrast that a histogram answers teaches intensities. Batches are those of
    `tic_accuracy`; the anchor is the corrupted view as the network sees it.

    Args:
        anchor: (B, C, X, Y, Z), one view of each volume.
        candidate: (B, C, X, Y, Z), the other view. Distance is L1 between histograms; ties count as misses.
        patient: (B,) integers, equal for studies of one patient, which are no rivals; None takes all as different.
    """
    distance = torch.cdist(view_histograms(anchor), view_histograms(candidate), p=1)
    own = distance.diagonal()
    left_out = torch.eye(len(own), dtype=torch.bool, device=own.device)
    if patient is not None:
        left_out = patient.unsqueeze(1) == patient
    rivals = distance.masked_fill(left_out, torch.inf)
    return (own < rivals.amin(dim=1)).float()
