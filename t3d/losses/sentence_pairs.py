"""Pairs of sentence and volume: does this report say that, yes or no?"""

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from t3d.losses.gather import world_size
from t3d.losses.sentence_answers import Answers, SentenceTask, mean_over_asked


class SentencePairs(SentenceTask):
    """Binary cross-entropy of every (sentence, volume) pair of the global batch (after SigLIP, arXiv 2303.15343).

    SigLIP's learnt bias is the batch's own here: the log odds of a pair being right, so that vectors which know
    nothing begin at the entropy of that share. There is nothing to learn beside the network then.
    """

    def compare(self, volumes: Tensor, sentence: Tensor, answers: Answers) -> Tensor:
        """See ``SentenceTask``; the sum over volumes, mean over all asked sentences."""
        asked = answers.asked.unsqueeze(1)
        counts = torch.stack([(part & asked).sum() for part in (answers.right, answers.wrong)])
        if world_size() > 1:
            dist.all_reduce(counts)
        right, wrong = counts.to(volumes.dtype).clamp_min(1)
        logits = sentence @ volumes.T / self.temperature + (right / wrong).log()
        losses = F.binary_cross_entropy_with_logits(logits, answers.right.to(volumes.dtype), reduction="none")
        return mean_over_asked(losses.masked_fill(answers.unclear, 0.0).sum(dim=1), answers.asked)
