"""Refuses images with NaN or infinite voxels: a network turns them into a result that looks like any other."""

import torch
from ignite.engine import Engine, Events

from t3d.errors import T3DError


class FiniteImages:
    """Looks at the images of every batch, before the network does.

    Attach to a MONAI trainer or evaluator whose batches are dicts with ``image`` (B, C, X, Y, Z) and, where known,
    ``case_id`` (B strings).
    """

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer or evaluator."""
        engine.add_event_handler(Events.ITERATION_STARTED, self.look)

    def look(self, engine: Engine) -> None:
        """Raise a T3DError that names the first faulty case of the batch."""
        images = engine.state.batch["image"]
        finite = torch.isfinite(torch.as_tensor(images)).flatten(1).all(dim=1)
        if finite.all():
            return
        place = int((~finite).nonzero()[0])
        cases = engine.state.batch.get("case_id")
        who = f"case {cases[place]}" if cases else f"item {place} of the batch"
        raise T3DError(f"{who}: image has voxels that are NaN or infinite; replace them, for example with -1024 HU")
