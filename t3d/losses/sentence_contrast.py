"""Sentence contrast (SC): which of these volumes does a sentence describe?"""

from typing import NamedTuple

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from t3d.errors import T3DError
from t3d.losses.gather import first_row, gather_rows, world_size

RAW = {"same": 0.97, "near": 0.9}


class Answers(NamedTuple):
    """What counts for each sentence s and each volume j of the global batch; all (S, G) bool but ``asked`` (S,)."""

    right: Tensor
    unclear: Tensor
    asked: Tensor


class SentenceContrast(nn.Module):
    """Cross-entropy of every sentence over all volumes of the global batch, all that say it being right (ours).

    A report matched whole is matched by its easiest words, so each sentence is a target of its own. The volume's
    vector has seen no text, so no report can leak into an answer. Sentences that nearly repeat one of a volume's
    report (cosine of the frozen features above ``same``) describe that volume too; what lies between ``near`` and
    ``same`` may or may not, and is left out of the softmax, as are other studies of the patient. A sentence that
    more than ``common`` of the batch says is not asked.

    The defaults are for standardised features. Raw ones of a BERT all lie close together: of a random one 9 % of the
    pairs of sentences about different findings were above .97 and 95 % above .9, so hardly a rival was left (a
    sentence encoder: none). Standardised, at most .1 % of such pairs were above .9 and 4 % above .6, with either
    (measured on phantom reports).

    Args:
        temperature: divides the cosines.
        same, near: cosines between frozen sentence features; ``RAW`` has those for features that are not standardised
            (for sentence encoders only).
        common: largest share of right volumes of a sentence that is asked.
    """

    def __init__(self, *, temperature: float = 0.1, same: float = 0.9, near: float = 0.6, common: float = 0.5) -> None:
        super().__init__()
        if temperature <= 0:
            raise T3DError(f"temperature {temperature} must be above 0; 0.07 to 0.1 are usual")
        if not near <= same <= 1:
            raise T3DError(f"near {near} and same {same} must be cosines with near <= same <= 1")
        if not 0 < common <= 1:
            raise T3DError(f"common {common} must be a share of the batch, above 0 and at most 1")
        self.temperature = temperature
        self.same, self.near, self.common = same, near, common

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
            sentence: (S, D) unit vectors of the sentences drawn from their reports; S must be the same in every
                process.
            spoken: (S, T) frozen features of these sentences, standardised or not, as all of ``said``.
            owner: (S,) row of the volume whose report a sentence was drawn from, -1 for a place without a sentence.
            said: (B, R, T) frozen features of all sentences of each report.
            said_mask: (B, R) bool, True where there is a sentence.
            patient: (B,) integers, equal for studies of one patient; None takes all as different.
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
        asked = answers.asked.sum()
        if world_size() > 1:
            dist.all_reduce(asked)
        # each process's part is scaled so that the mean over processes, which DDP takes, is the mean over sentences
        # (picking the asked rows would make the device wait for their number)
        return losses.where(answers.asked, 0.0).sum() * world_size() / asked.clamp_min(1)

    @torch.no_grad()
    def answers(
        self, spoken: Tensor, owner: Tensor, said: Tensor, said_mask: Tensor, patient: Tensor | None = None
    ) -> Answers:
        """Which volumes of the global batch say each sentence; arguments as for ``forward``."""
        drawn, own = owner >= 0, owner.clamp_min(0)
        rows = own + first_row(said.shape[0])
        # features of the sentences travel, not those of all reports, which are many more and of different lengths
        everyone = gather_rows(spoken)
        with torch.autocast(said.device.type, enabled=False):  # bf16 cannot tell .97 from .98
            flat = F.normalize(said.float(), dim=-1).flatten(0, 1)
            cosine = (flat @ F.normalize(everyone.float(), dim=-1).T).unflatten(0, said.shape[:2])
        closest = gather_rows(cosine.masked_fill(~said_mask.unsqueeze(-1), -1.0).amax(dim=1)).T  # (all S, G)
        closest = closest[first_row(len(spoken)) :][: len(spoken)]
        right = (closest > self.same).scatter(1, rows.unsqueeze(1), True)
        unclear = closest > self.near
        if patient is not None:
            unclear = unclear | (patient[own].unsqueeze(1) == gather_rows(patient).unsqueeze(0))
        unclear = unclear & ~right
        # with every volume right or left out there is nothing to choose
        asked = drawn & (right.float().mean(dim=1) <= self.common) & ~(right | unclear).all(dim=1)
        return Answers(right=right, unclear=unclear, asked=asked)


def sentence_hits(volume: Tensor, sentence: Tensor, answers: Answers) -> tuple[Tensor, Tensor]:
    """For each asked sentence whether its closest volume says it (float), and the chance of that by guessing.

    Args:
        volume: (G, D) unit vectors.
        sentence: (S, D) unit vectors.
        answers: of ``SentenceContrast.answers``.

    Returns:
        (asked,), (asked,). A tie with a wrong volume is a miss: a constant embedding must not score.
    """
    similarity = sentence.float() @ volume.float().T
    wrong = ~(answers.right | answers.unclear)
    best = similarity.masked_fill(~answers.right, -torch.inf).amax(dim=1)
    rival = similarity.masked_fill(~wrong, -torch.inf).amax(dim=1)
    chance = answers.right.sum(dim=1) / (answers.right | wrong).sum(dim=1)
    return (best > rival).float()[answers.asked], chance[answers.asked]
