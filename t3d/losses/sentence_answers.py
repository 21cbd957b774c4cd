"""Which volumes say which sentence: what all tasks of sentences share."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from t3d.errors import T3DError
from t3d.losses.gather import first_row, gather_rows, world_size

RAW = {"same": 0.97, "near": 0.9}


class Answers(NamedTuple):
    """What counts for each sentence s of this process and each volume j of the global batch.

    Attributes:
        right: (S, G) bool, volumes that say the sentence.
        unclear: (S, G) bool, volumes that may or may not.
        asked: (S,) bool, sentences that are asked at all.
        owner: (S,) row of the volume of this process whose report the sentence was drawn from, -1 for none.
    """

    right: Tensor
    unclear: Tensor
    asked: Tensor
    owner: Tensor

    @property
    def wrong(self) -> Tensor:
        """(S, G) bool, volumes that do not say the sentence."""
        return ~(self.right | self.unclear)


class SentenceTask(nn.Module):
    """What tasks of sentences have in common: a temperature, who says what, and every volume of the global batch.

    Sentences that nearly repeat one of a volume's report (cosine of the frozen features above ``same``) describe that
    volume too; what lies between ``near`` and ``same`` may or may not, and is left out, as are other studies of the
    patient. A sentence that more than ``common`` of the batch says is not asked.

    The defaults are for standardised features. Raw ones of a BERT all lie close together: of a random one 9 % of the
    pairs of sentences about different findings were above .97 and 95 % above .9, so hardly a rival was left (a
    sentence encoder: none). Standardised, at most .1 % of such pairs were above .9 and 4 % above .6, with either
    (measured on phantom reports).

    Args:
        temperature: divides the cosines.
        same, near: cosines between frozen sentence features; ``RAW`` has those for features that are not standardised
            (for sentence encoders only).
        common: largest share of right volumes of a sentence that is asked.

    Attributes:
        compare: what a task does with volumes (G, D) and sentences (S, D), unit vectors outside of autocast, their
            ``Answers``, and what else of the network's output it reads. It returns the mean over all asked sentences
            of the global batch, as one process holding all would.
    """

    compare: Callable[..., Tensor]

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
        **more: Tensor,
    ) -> Tensor:
        """Return the loss.

        Args:
            volume: (B, D) unit vectors of this process's volumes.
            sentence: (S, D) unit vectors of the sentences drawn from their reports.
            spoken, owner, said, said_mask, patient: see ``answers``.
            more: what ``compare`` reads beside them.
        """
        answers = self.answers(spoken, owner, said, said_mask, patient)
        exact = torch.promote_types(volume.dtype, torch.float32)  # bf16 cannot tell close volumes apart
        with torch.autocast(volume.device.type, enabled=False):
            return self.compare(gather_rows(volume).to(exact), sentence.to(exact), answers, **more)

    @torch.no_grad()
    def answers(
        self, spoken: Tensor, owner: Tensor, said: Tensor, said_mask: Tensor, patient: Tensor | None = None
    ) -> Answers:
        """Which volumes of the global batch say each sentence.

        Args:
            spoken: (S, T) frozen features of the sentences drawn in this process, standardised or not, as all of
                ``said``; S must be the same in every process.
            owner: (S,) row of the volume whose report a sentence was drawn from, -1 for a place without a sentence.
            said: (B, R, T) frozen features of all sentences of each report.
            said_mask: (B, R) bool, True where there is a sentence.
            patient: (B,) integers, equal for studies of one patient; None takes all as different.
        """
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
        return Answers(right=right, unclear=unclear, asked=asked, owner=owner)


def mean_over_asked(losses: Tensor, asked: Tensor) -> Tensor:
    """Mean of losses (S,) over the asked sentences (S,) of all processes; 0 where none is asked.

    Each process's part is scaled so that the mean over processes, which DDP takes, is the mean over sentences.
    """
    count = asked.sum()
    if world_size() > 1:
        dist.all_reduce(count)
    # picking the asked rows would make the device wait for their number
    return losses.where(asked, 0.0).sum() * world_size() / count.clamp_min(1)


def sentence_hits(volume: Tensor, sentence: Tensor, answers: Answers) -> tuple[Tensor, Tensor]:
    """For each asked sentence whether its closest volume says it (float), and the chance of that by guessing.

    Args:
        volume: (G, D) unit vectors.
        sentence: (S, D) unit vectors.
        answers: of ``SentenceTask.answers``.

    Returns:
        (asked,), (asked,). A tie with a wrong volume is a miss: a constant embedding must not score.
    """
    similarity = sentence.float() @ volume.float().T
    best = similarity.masked_fill(~answers.right, -torch.inf).amax(dim=1)
    rival = similarity.masked_fill(~answers.wrong, -torch.inf).amax(dim=1)
    chance = answers.right.sum(dim=1) / (answers.right | answers.wrong).sum(dim=1)
    return (best > rival).float()[answers.asked], chance[answers.asked]
