"""A sentence or its opposite: which of the two is true of a volume?"""

import torch.nn.functional as F
from torch import Tensor

from t3d.losses.sentence_answers import Answers, SentenceTask, mean_over_asked


class SentenceOpposites(SentenceTask):
    """Choice between a sentence and its negation, half of the questions true and half false (after COLIPRI's
    opposite sentence loss, arXiv 2510.15042).

    For volumes that say a sentence it is the truth, for those that do not its negation is; either half weighs the
    same for each sentence. What a report does not say is taken as absent, as in the other tasks.
    """

    def compare(
        self, volumes: Tensor, sentence: Tensor, answers: Answers, *, opposite: Tensor, opposed: Tensor
    ) -> Tensor:
        """See ``SentenceTask``; the mean over all asked sentences that have an opposite.

        Args:
            volumes, sentence, answers: as always.
            opposite: (S, D) unit vectors of the sentences' negations.
            opposed: (S,) bool, False where a sentence has none.
        """
        logits = (sentence - opposite.to(sentence.dtype)) @ volumes.T / self.temperature
        true, false = (
            (F.softplus(sign * logits) * part).sum(dim=1) / part.sum(dim=1).clamp_min(1)
            for sign, part in ((-1, answers.right), (1, answers.wrong))
        )
        return mean_over_asked((true + false) / 2, answers.asked & opposed)
