"""Reports whole: which of these volumes does a report describe, and the other way round?"""

import torch
import torch.nn.functional as F
from torch import Tensor

from t3d.losses.gather import first_row, gather_rows, world_size
from t3d.losses.sentence_answers import Answers, SentenceTask, mean_over_asked


class ReportContrast(SentenceTask):
    """Symmetric InfoNCE between volumes and the means of their drawn sentences (CLIP's, on what SC reads).

    The ablation of "each sentence is a target of its own": encoder, windows, heads and sentences are the same. A
    volume that says every sentence drawn from a report answers it too; one of which that is unclear, or whose own
    report has no drawn sentence, is left out.
    """

    def compare(self, volumes: Tensor, sentence: Tensor, answers: Answers) -> Tensor:
        """See ``SentenceTask``; the mean over both directions and all reports."""
        count = len(volumes) // world_size()  # of this process
        drawn_from = (answers.owner == torch.arange(count, device=volumes.device).unsqueeze(1)).float()  # (B, S)
        there = gather_rows(drawn_from.any(dim=1))
        # a report is right where all its sentences are, wrong where one is
        right = gather_rows((drawn_from @ (~answers.right).float()) == 0)
        wrong = gather_rows((drawn_from @ answers.wrong.float()) > 0)
        counted = there.unsqueeze(1) & there  # (G reports, G volumes)
        right, left_out = right & counted, ~((right | wrong) & counted)
        reports = gather_rows(F.normalize(drawn_from.to(sentence.dtype) @ sentence, dim=-1))
        logits = (reports @ volumes.T / self.temperature).masked_fill(left_out, -torch.inf)
        own = slice(first_row(count), first_row(count) + count)
        directions = [
            mean_over_asked(_cross_entropy(one[own], answer[own]), there[own])
            for one, answer in ((logits, right), (logits.T, right.T))
        ]
        return (directions[0] + directions[1]) / 2


def _cross_entropy(logits: Tensor, right: Tensor) -> Tensor:
    """(B,), the right answers sharing; 0 for a row without any."""
    share = right / right.sum(dim=1, keepdim=True).clamp_min(1)
    # a row that is left out whole would be NaN
    chosen = logits.masked_fill(~right.any(dim=1, keepdim=True), 0.0).log_softmax(dim=1).masked_fill(~right, 0.0)
    return -(share * chosen).sum(dim=1)
