"""Which report of the batch a case is shown in place of its own."""

import torch
import torch.nn.functional as F
from torch import Tensor


def another_report(report_id: Tensor) -> tuple[Tensor, Tensor]:
    """For each case (B,) the next one in the batch with a different report, and whether there is one."""
    ids = report_id.tolist()
    count = len(ids)
    picks = [
        next(((i + step) % count for step in range(1, count) if ids[(i + step) % count] != ids[i]), None)
        for i in range(count)
    ]
    usable = torch.tensor([pick is not None for pick in picks])
    return torch.tensor([i if pick is None else pick for i, pick in enumerate(picks)]), usable


def least_alike_report(said: Tensor, said_mask: Tensor, report_id: Tensor) -> tuple[Tensor, Tensor]:
    """For each case the report of the batch that says least of what its own says, and whether there is another (ours).

    Likeness of two reports: mean over the sentences of the one of the cosine with the closest sentence of the other.
    Two normal reports are alike, and to swap them shows nothing.

    Args:
        said: (B, R, T) features of every sentence.
        said_mask: (B, R) bool, True where there is one.
        report_id: (B,) equal for equal reports.
    """
    unit = F.normalize(said.float(), dim=-1)
    cosine = torch.einsum("brt,cst->bcrs", unit, unit)
    cosine = cosine.masked_fill(~said_mask[None, :, None, :], -1.0).amax(dim=3)  # (B, B, R): closest of the other
    own = said_mask.unsqueeze(1)
    alike = (cosine * own).sum(dim=2) / own.sum(dim=2).clamp_min(1)
    same = report_id.unsqueeze(1) == report_id
    usable = ~same.all(dim=1)
    return alike.masked_fill(same.to(alike.device), torch.inf).argmin(dim=1).cpu(), usable.cpu()
