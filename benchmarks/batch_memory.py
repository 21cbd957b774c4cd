"""What a training step takes as its batch grows."""

from dataclasses import dataclass

# On a card more is taken than is kept: gradients on their way, blocks that do not fit gaps (a tenth; 3 % were
# measured beside 88 GiB), and the driver's own.
SHARE, DRIVER = 1.1, 750


@dataclass(frozen=True)
class Volumes:
    """What a step takes, in MiB, as its volumes become more.

    Attributes:
        fixed: whatever their number is.
        each: the views of a volume that are kept, of ``at_once`` volumes at most.
        left: inputs of a further volume, and what its views leave.
        taken: inputs alone, of a volume.
        at_once: volumes whose views are encoded together.
    """

    fixed: float
    each: float
    left: float
    taken: float
    at_once: int

    def peak(self, batch: int) -> float:
        """Of a step of ``batch`` volumes."""
        kept = min(batch, self.at_once)
        return SHARE * (self.fixed + kept * (self.each + self.taken) + (batch - kept) * self.left) + DRIVER

    def most(self, room: float) -> int:
        """Volumes of the largest batch that ``room`` MiB take, or 0."""
        batch = 0
        while self.peak(batch + 1) <= room:
            batch += 1
        return batch
