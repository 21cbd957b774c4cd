"""Checkpoints a killed run goes on from by itself."""

import logging
from collections.abc import Collection
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Engine, Events
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from t3d.atomic import write_atomically
from t3d.errors import T3DError
from t3d.train.best_model import BestModel
from t3d.train.checkpoint_files import checkpoint_file, checkpoint_files
from t3d.train.finite_weights import check_finite_weights, spoilt
from t3d.train.same_recipe import go_on_with
from t3d.train.trainer import GuardedTrainer
from t3d.weights import unwrapped

logger = logging.getLogger(__name__)


class TrainingState:
    """Saves everything a run needs to go on, and goes on from the newest of what it saved.

    Batches are keyed by (seed, step, place), and torch's generators are seeded anew at the start of every epoch, so a
    run that goes on from an epoch's end ends with the weights of an undisturbed run. Settings are those of this run,
    also where the checkpoint has others: a larger ``max_epochs`` stretches the schedule, which ends annealed.

    Args:
        ckpt_dir: where ``checkpoint_epoch=N.pt`` lie. Each is written beside and then renamed.
        network: trained network (unwrapped from DistributedDataParallel by itself).
        optimizer, scheduler: as trained with.
        sampler: has ``set_epoch`` (0-based).
        recipe: settings that must not change between a run and its continuation, plain JSON values; what was changed
            all the same is added to it (``changed_on_resume``).
        allow_changed: names of the recipe that may differ from the checkpoint's.
        seed: of torch's generators.
        every: epochs between checkpoints.
        keep: newest checkpoints that are kept; at least 2, so that a full disk never takes the last good one.
        best: handler with ``state_dict`` / ``load_state_dict`` (``BestModel``).
    """

    def __init__(
        self,
        *,
        ckpt_dir: str,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        scheduler: Any,
        recipe: dict,
        sampler: Any,
        allow_changed: Collection[str] = (),
        seed: int = 0,
        every: int = 1,
        keep: int = 2,
        best: BestModel | None = None,
    ) -> None:
        if keep < 2:
            raise T3DError(f"keep_checkpoints {keep} must be 2 or more: the old one may go only after the new one")
        if isinstance(allow_changed, str):
            raise T3DError(f"--allow_changed {allow_changed} must be a list: --allow_changed \"['{allow_changed}']\"")
        self.folder = Path(ckpt_dir)
        self.network = network
        self.parts = {"optimizer": optimizer, "scheduler": scheduler}
        if best is not None:
            self.parts["best"] = best
        self.sampler = sampler
        self.recipe = recipe
        self.allow_changed = allow_changed
        self.seed = seed
        self.every = every
        self.keep = keep

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer, which then knows where its checkpoints are."""
        if isinstance(engine, GuardedTrainer):
            engine.checkpoints = self.folder
        engine.add_event_handler(Events.STARTED, self.resume)
        engine.add_event_handler(Events.EPOCH_STARTED, self.start_epoch)
        engine.add_event_handler(Events.EPOCH_COMPLETED(every=self.every), self.save)
        engine.add_event_handler(Events.COMPLETED, self.save_last)

    def start_epoch(self, engine: Engine) -> None:
        """Set the sampler's epoch and all generators from (seed, epoch, process)."""
        self.sampler.set_epoch(engine.state.epoch - 1)
        key = np.random.SeedSequence(self.seed, spawn_key=(engine.state.epoch, idist.get_rank()))
        torch.manual_seed(int(key.generate_state(1)[0]))

    def resume(self, engine: Engine) -> None:
        """Load the newest checkpoint, if there is one and this process has not trained yet."""
        if engine.state.iteration > 0:
            return  # a next round in the same process (federated learning): what is in memory is newer
        if idist.get_rank() == 0:
            for unfinished in self.folder.glob(".checkpoint_epoch=*.tmp"):
                unfinished.unlink()  # a killed run was writing it
        found = checkpoint_files(self.folder)
        if not found:
            logger.info("no checkpoint in %s: training starts from the beginning", self.folder)
            return
        epoch, path = found[-1]
        content = self._read(path)
        go_on_with(self.recipe, content["recipe"], path=path, epoch=epoch, allowed=self.allow_changed)
        try:
            unwrapped(self.network).load_state_dict(content["network"])
            _load_optimizer(self.parts["optimizer"], content["optimizer"])
            _load_scheduler(self.parts["scheduler"], content["scheduler"])
            if "best" in self.parts:
                self.parts["best"].load_state_dict(content["best"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise T3DError(
                f"{path} is a checkpoint of another architecture ({str(error).splitlines()[0]} ..): use the settings "
                "it was trained with, or another --ckpt_dir to start anew"
            ) from error
        if content.get("scaler") and getattr(engine, "scaler", None):
            engine.scaler.load_state_dict(content["scaler"])
        engine.state.epoch = epoch
        engine.state.iteration = epoch * engine.state.epoch_length
        if epoch >= engine.state.max_epochs:
            logger.info("%s: training is complete; a larger --max_epochs goes on from here", path)
        else:
            logger.info("going on from %s (epoch %d of %d)", path, epoch, engine.state.max_epochs)

    def save(self, engine: Engine) -> None:
        """Write a checkpoint, then drop the oldest ones.

        Raises:
            T3DError: weights that are not finite, or the file could not be written; the earlier checkpoints stay.
        """
        check_finite_weights(self.network, checkpoints=self.folder)
        if idist.get_rank() != 0:
            return
        scaler = getattr(engine, "scaler", None)
        content = {
            "network": unwrapped(self.network).state_dict(),
            **{name: part.state_dict() for name, part in self.parts.items()},
            "scaler": scaler.state_dict() if scaler else None,
            "epoch": engine.state.epoch,
            "recipe": self.recipe,
        }
        path = checkpoint_file(self.folder, engine.state.epoch)
        write_atomically({path: lambda file: torch.save(content, file)})
        for _, old in checkpoint_files(self.folder)[: -self.keep]:
            old.unlink()

    def save_last(self, engine: Engine) -> None:
        """Write the checkpoint of the last epoch, where ``every`` passed it over."""
        if engine.state.epoch not in dict(checkpoint_files(self.folder)):
            self.save(engine)

    def _read(self, path: Path) -> dict:
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # noqa: BLE001 - torch raises many kinds for a damaged file
            raise T3DError(
                f"{path} cannot be read ({type(error).__name__}): delete it to go on from the checkpoint before it"
            ) from error
        if not isinstance(content, dict) or not {"network", "optimizer", "recipe"} <= content.keys():
            raise T3DError(f"{path} is not a checkpoint of this training: move it, or use another --ckpt_dir")
        bad, _ = spoilt(content["network"])
        if bad:
            raise T3DError(
                f"{path} holds {bad} tensors with NaN or infinite values, of a training that diverged: delete it to "
                "go on from the checkpoint before it, or take another --ckpt_dir to start anew"
            )
        return content


def _load_optimizer(optimizer: torch.optim.Optimizer, saved: dict) -> None:
    """Moments from the checkpoint, settings of the groups from this run: an allowed change is a change."""
    groups = optimizer.state_dict()["param_groups"]
    if [group["params"] for group in groups] != [group["params"] for group in saved["param_groups"]]:
        raise ValueError("its optimizer has other groups of parameters")
    for group, old in zip(groups, saved["param_groups"], strict=True):
        group["lr"] = old["lr"]
    optimizer.load_state_dict({"state": saved["state"], "param_groups": groups})


def _load_scheduler(scheduler: Any, saved: dict) -> None:
    """How far the schedule is, from the checkpoint; its length and height, where it is one function of the step."""
    if not isinstance(scheduler, LambdaLR):
        scheduler.load_state_dict(saved)
        return
    scheduler.last_epoch, scheduler._step_count = saved["last_epoch"] - 1, saved["_step_count"]
    scheduler.step()  # sets the rate of the step that comes next
    scheduler._step_count = saved["_step_count"]
