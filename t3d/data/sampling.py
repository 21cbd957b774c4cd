"""Which cases form a batch, and the seed each of them is drawn with."""

import logging
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch.distributed as dist
from torch.utils.data import Sampler

from t3d.errors import T3DError

logger = logging.getLogger(__name__)

# Separate random streams of one seed (spawn keys of numpy's SeedSequence).
_ORDER, _ITEM, _MATCHED = range(3)


class Draw(NamedTuple):
    """One sample of a batch: which case, with which seed, and at which place.

    `matched` is the relative place (0 to 1 per axis) shared by the whole batch, or None for free places.
    """

    case: int
    seed: int
    matched: tuple[float, float, float] | None = None


class CohortBatchSampler(Sampler[list[Draw]]):
    """Batches of draws that depend only on the seed and the global step (ours).

    Every pass over the cohort is a permutation keyed by (seed, pass); a draw's seed is keyed by (seed,
    global step, place in the global batch). So neither workers nor processes change what is drawn: two
    processes with batch size b see exactly the cases and crops of one process with 2 b, and a run resumed at
    an epoch goes on as if it had never stopped.

    Args:
        num_cases: length of the data set.
        batch_size: cases per process; the global batch is `batch_size * world_size`.
        seed: non-negative.
        steps_per_epoch: batches per epoch; None for one pass (`repeats` passes) over the cohort.
        matched_position: share of batches, 0 to 1, whose crops lie at the same relative place in every case.
        matched_ramp_epochs: epochs over which that share grows linearly to its full value; 0 for at once.
        rank, world_size: this process and their number; None asks torch.distributed when iterating, so that
            the sampler may be built before the process group.
        shuffle: False keeps the order of the data list in every pass.
        drop_last: leave out the incomplete global batch at the end of a pass. False only with one process.
        fixed: the same draws in every epoch, without the ramp (evaluation).
        repeats: passes per epoch, each with other crops and, when shuffled, other partners (evaluation).
        contrast: the batch is its own set of candidates, so it needs at least two cases.

    Raises:
        T3DError: impossible settings; fewer cases than one global batch; a global batch of one with contrast;
            fewer than two cases to evaluate a contrast on.
    """

    def __init__(
        self,
        num_cases: int,
        *,
        batch_size: int,
        seed: int = 0,
        steps_per_epoch: int | None = None,
        matched_position: float = 0.0,
        matched_ramp_epochs: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
        shuffle: bool = True,
        drop_last: bool = True,
        fixed: bool = False,
        repeats: int = 1,
        contrast: bool = True,
    ) -> None:
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("steps_per_epoch", 1 if steps_per_epoch is None else steps_per_epoch, 1),
            ("repeats", repeats, 1),
            ("seed", seed, 0),
            ("matched_ramp_epochs", matched_ramp_epochs, 0),
        ):
            if value != int(value) or value < least:
                raise T3DError(f"{name} is {value}; set it to a whole number of at least {least}.")
        if not 0 <= matched_position <= 1:
            raise T3DError(f"matched_position is {matched_position}; it is a share of batches, set it in 0..1.")
        self.num_cases, self.batch_size, self.seed = num_cases, batch_size, seed
        self.steps_per_epoch, self.repeats = steps_per_epoch, repeats
        self.matched_position, self.matched_ramp_epochs = matched_position, matched_ramp_epochs
        self.rank, self.world_size = rank, world_size
        self.shuffle, self.drop_last, self.fixed, self.contrast = shuffle, drop_last, fixed, contrast
        self.epoch = 0
        self._told_dropped = False
        if fixed and contrast and num_cases < 2:
            # a fixed sampler is first asked after an epoch of training: too late to hear of it
            found = f"{num_cases} case{'' if num_cases == 1 else 's'}"
            raise T3DError(f"the validation list has {found}, the gauges need at least 2: add cases to it.")
        if world_size is not None:
            self._check_sizes(world_size)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, counted from 0, that the next iteration yields."""
        self.epoch = int(epoch)

    def __len__(self) -> int:
        """Batches of one epoch."""
        if self.steps_per_epoch is not None:
            return self.steps_per_epoch
        return self.repeats * self._batches_per_pass(self._process()[1])

    def __iter__(self) -> Iterator[list[Draw]]:
        """This process's draws, batch by batch."""
        rank, world_size = self._process()
        self._check_sizes(world_size)
        per_pass = self._batches_per_pass(world_size)
        self._tell_dropped(world_size)
        first = 0 if self.fixed else self.epoch * len(self)
        share = self._matched_share()
        order, order_of_pass = np.zeros(0, np.int64), -1
        for step in range(first, first + len(self)):
            number, batch = divmod(step, per_pass)
            if number != order_of_pass:
                order, order_of_pass = self._order(number), number
            matched = self._matched(step, share)
            start = (batch * world_size + rank) * self.batch_size
            yield [
                Draw(int(case), self._item_seed(step, rank * self.batch_size + place), matched)
                for place, case in enumerate(order[start : start + self.batch_size])
            ]

    def _process(self) -> tuple[int, int]:
        grouped = dist.is_available() and dist.is_initialized()
        world = self.world_size if self.world_size is not None else dist.get_world_size() if grouped else 1
        rank = self.rank if self.rank is not None else dist.get_rank() if grouped else 0
        return rank, world

    def _check_sizes(self, world_size: int) -> None:
        whole = self.batch_size * world_size
        if self.contrast and whole < 2:
            raise T3DError(
                f"batch_size is {self.batch_size} with {world_size} process: the contrast needs at least two "
                "cases to tell apart; set batch_size to 2 or more."
            )
        if not self.drop_last and world_size > 1:
            raise T3DError(
                f"drop_last is false with {world_size} processes, which would get unequal batches; "
                "set it to true or use one process."
            )
        if self.num_cases < (whole if self.drop_last else 2 if self.contrast else 1):
            raise T3DError(
                f"the list has {self.num_cases} cases, fewer than one global batch of {whole} "
                f"({self.batch_size} x {world_size} processes); lower batch_size or add cases."
            )

    def _kept_cases(self, world_size: int) -> int:
        """Cases used in one pass; a last batch of one case is no contrast and is left out too."""
        rest = self.num_cases % (self.batch_size * world_size)
        keep = not self.drop_last and rest >= (2 if self.contrast else 1)
        return self.num_cases if keep else self.num_cases - rest

    def _batches_per_pass(self, world_size: int) -> int:
        return -(-self._kept_cases(world_size) // (self.batch_size * world_size))

    def _tell_dropped(self, world_size: int) -> None:
        dropped = self.num_cases - self._kept_cases(world_size)
        if dropped and not self._told_dropped:
            self._told_dropped = True
            whole = self.batch_size * world_size
            logger.info(
                "%d of %d cases do not fill a batch of %d and sit out each pass (a smaller batch would be "
                "an easier contrast)",
                dropped,
                self.num_cases,
                whole,
            )

    def _order(self, number: int) -> np.ndarray:
        world_size = self._process()[1]
        cases = np.arange(self.num_cases)
        if self.shuffle:
            cases = np.random.default_rng(self._key(_ORDER, number)).permutation(cases)
        return cases[: self._kept_cases(world_size)]

    def _matched_share(self) -> float:
        ramp = 0 if self.fixed else self.matched_ramp_epochs
        return self.matched_position * (min(1.0, (self.epoch + 1) / ramp) if ramp else 1.0)

    def _matched(self, step: int, share: float) -> tuple[float, float, float] | None:
        rng = np.random.default_rng(self._key(_MATCHED, step))
        if rng.random() >= share:
            return None
        x, y, z = rng.random(3)
        return float(x), float(y), float(z)

    def _item_seed(self, step: int, place: int) -> int:
        return int(self._key(_ITEM, step, place).generate_state(1)[0])

    def _key(self, *path: int) -> np.random.SeedSequence:
        # Spawn keys, because plain entropy lists collide: SeedSequence([1]) equals SeedSequence([1, 0]).
        return np.random.SeedSequence(self.seed, spawn_key=path)
