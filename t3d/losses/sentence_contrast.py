"""Sentence contrast (SC): which of these volumes does a sentence describe?"""

import torch
from torch import Tensor

from t3d.losses.gather import gather_rows
from t3d.losses.sentence_answers import SentenceTask, mean_over_asked


class SentenceContrast(SentenceTask):
    """Cross-entropy of every sentence over all volumes of the global batch, all that say it being right (ours).

    A report matched whole is matched by its easiest words, so each sentence is a target of its own. The volume's
    vector has seen no text, so no report can leak into an answer.
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
        """Return the mean over all asked sentences of the global batch, as one process holding all would.

        Args:
            volume: (B, D) unit vectors of this process's volumes.
            sentence: (S, D) unit vectors of the sentences drawn from their reports.
            spoken, owner, said, said_mask, patient: see ``answers``.
        """
        answers = self.answers(spoken, owner, said, said_mask, patient)
        volumes = gather_rows(volume)
        exact = torch.promote_types(volume.dtype, torch.float32)  # bf16 cannot tell close volumes apart
        with torch.autocast(volume.device.type, enabled=False):
            logits = sentence.to(exact) @ volumes.to(exact).T / self.temperature
            logits = logits.masked_fill(answers.unclear, -torch.inf)
            share = answers.right / answers.right.sum(dim=1, keepdim=True)
            # where nothing is right for j, 0 * -inf would be NaN
            chosen = logits.log_softmax(dim=1).masked_fill(~answers.right, 0.0)
            losses = -(share * chosen).sum(dim=1)
        return mean_over_asked(losses, answers.asked)
