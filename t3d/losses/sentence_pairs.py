"""Pairs of sentence and volume: does this report say that, yes or no?"""

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from t3d.losses.gather import gather_rows, world_size
from t3d.losses.sentence_answers import SentenceTask, mean_over_asked


class SentencePairs(SentenceTask):
    """Binary cross-entropy of every (sentence, volume) pair of the global batch (after SigLIP, arXiv 2303.15343).

    SigLIP's learnt bias is the batch's own here: the log odds of a pair being right, so that vectors which know
    nothing begin at the entropy of that share. There is nothing to learn beside the network then.
    """

    def forward(
        self,
        volume: Tensor,
        sentence: Tensor,
        *,
        spoken: Tensor,
        owner: Tensor,
        said: Tensor,
        said_mask: Tensor,
        patient: Tensor | None = None,
    ) -> Tensor:
        """Return the sum over volumes, mean over all asked sentences; arguments: ``SentenceContrast.forward``."""
        answers = self.answers(spoken, owner, said, said_mask, patient)
        volumes = gather_rows(volume)
        exact = torch.promote_types(volume.dtype, torch.float32)
        with torch.autocast(volume.device.type, enabled=False):
            asked = answers.asked.unsqueeze(1)
            counts = torch.stack([(part & asked).sum() for part in (answers.right, answers.wrong)])
            if world_size() > 1:
                dist.all_reduce(counts)
            right, wrong = counts.to(exact).clamp_min(1)
            logits = sentence.to(exact) @ volumes.to(exact).T / self.temperature + (right / wrong).log()
            losses = F.binary_cross_entropy_with_logits(logits, answers.right.to(exact), reduction="none")
            return mean_over_asked(losses.masked_fill(answers.unclear, 0.0).sum(dim=1), answers.asked)
