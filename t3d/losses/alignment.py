"""Global alignment (GA): the whole volume against the whole report."""

import torch
from torch import Tensor, nn

from t3d.errors import T3DError
from t3d.losses.gather import first_row, gather_rows, other_studies


class GlobalAlignment(nn.Module):
    """Symmetric InfoNCE between volume and report embeddings over the global batch (arXiv 2312.01529 v3, CLIP).

    Reports with equal ``report_id`` are all right answers for each other's volumes (ours): routine normal reports
    repeat word for word, and treating them as negatives would punish a correct match. Other studies of one patient,
    which are much the same body, are left out of the softmax unless their reports are equal (ours).
    """

    def __init__(self, *, temperature: float = 0.1) -> None:
        super().__init__()
        if temperature <= 0:
            raise T3DError(f"temperature {temperature} must be above 0; 0.07 to 0.1 are usual")
        self.temperature = temperature

    def forward(
        self, volume: Tensor, report: Tensor, report_id: Tensor | None = None, patient: Tensor | None = None
    ) -> Tensor:
        """Return the scalar loss.

        Args:
            volume: (B, D) unit vectors.
            report: (B, D) unit vectors.
            report_id: (B,) integers, equal for equal report texts; None takes all as different.
            patient: (B,) integers, equal for studies of one patient; None takes all as different.
        """
        rows = volume.shape[0]
        own = first_row(rows) + torch.arange(rows, device=volume.device)
        ids = own if report_id is None else report_id
        right = ids[:, None] == gather_rows(ids)[None, :]
        left_out = None if patient is None else other_studies(patient) & ~right
        exact = torch.promote_types(volume.dtype, torch.float32)
        volume, report = volume.to(exact), report.to(exact)
        with torch.autocast(volume.device.type, enabled=False):
            to_report = volume @ gather_rows(report).T / self.temperature
            to_volume = report @ gather_rows(volume).T / self.temperature
            if left_out is not None:
                to_report = to_report.masked_fill(left_out, -torch.inf)
                to_volume = to_volume.masked_fill(left_out, -torch.inf)
        return 0.5 * (_shared_cross_entropy(to_report, right) + _shared_cross_entropy(to_volume, right))


def _shared_cross_entropy(logits: Tensor, right: Tensor) -> Tensor:
    share = right / right.sum(dim=1, keepdim=True)
    # where nothing is right, 0 * -inf would be NaN
    chosen = logits.log_softmax(dim=1).masked_fill(~right, 0.0)
    return -(share * chosen).sum(dim=1).mean()
