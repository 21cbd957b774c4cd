"""Sentence contrast (SC): which of these volumes does a sentence describe?"""

import torch
from torch import Tensor

from t3d.losses.sentence_answers import Answers, SentenceTask, mean_over_asked


class SentenceContrast(SentenceTask):
    """Cross-entropy of every sentence over all volumes of the global batch, all that say it being right (ours).

    A report matched whole is matched by its easiest words, so each sentence is a target of its own. The volume's
    vector has seen no text, so no report can leak into an answer.
    """

    def compare(self, volumes: Tensor, sentence: Tensor, answers: Answers) -> Tensor:
        """See ``SentenceTask``."""
        logits = (sentence @ volumes.T / self.temperature).masked_fill(answers.unclear, -torch.inf)
        share = answers.right / answers.right.sum(dim=1, keepdim=True)
        # where nothing is right for j, 0 * -inf would be NaN
        chosen = logits.log_softmax(dim=1).masked_fill(~answers.right, 0.0)
        return mean_over_asked(-(share * chosen).sum(dim=1), answers.asked)
