"""Whether an exported network does what the trained one does."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice

import torch
from torch import Tensor

from t3d.errors import T3DError
from t3d.export.parts import HEAD, Part

TOLERANCE = 1e-4
BATCHES = (1, 2, 4)  # exported with 2
Exported = Callable[..., dict[str, Tensor]]


@dataclass(frozen=True)
class Difference:
    """How far one output of an export is from the network's, on one window among a batch of some."""

    output: str
    sample: str
    batch: int
    max_difference: float
    largest_value: float

    @property
    def relative(self) -> float:
        """As a share of the output's largest value, or of 1 where that is smaller."""
        return self.max_difference / max(1.0, self.largest_value)


def sample_inputs(
    part: Part, *, batches: Sequence[int] = BATCHES, ct: Tensor | None = None
) -> list[tuple[list[str], dict[str, Tensor]]]:
    """Inputs to compare on: for each batch the names of what its windows show, and the tensors by input name.

    Windows show noise, a body's edge (a soft ball with noise in air), nothing but air, and a CT if one is given. The
    head gets noise, three times as many windows as the batch says, every third of which does not count.

    Args:
        part: what takes them.
        batches: numbers of windows.
        ct: (M, 1, s, s, s), windows of a prepared CT.
    """
    random = torch.Generator().manual_seed(0)
    if part.name == HEAD:
        width = part.inputs["features"].shape[-1]
        return [
            (
                ["noise"],
                {
                    "features": torch.randn(1, 3 * batch, width, generator=random),
                    "mask": torch.arange(3 * batch).unsqueeze(0) % 3 != 2,
                },
            )
            for batch in batches
        ]
    sides = part.inputs["image"].shape[2:]
    axes = [torch.linspace(-1, 1, side) for side in sides]
    radius = torch.stack(torch.meshgrid(*axes, indexing="ij")).square().sum(dim=0).sqrt()
    noise = torch.rand(1, *sides, generator=random)
    ball = torch.sigmoid((0.7 - radius) * 20) * 0.5 + 0.02 * noise
    shown = [("noise", noise), ("ball", ball), ("air", torch.zeros_like(noise))]
    shown += [] if ct is None else [(f"CT window {place}", window) for place, window in enumerate(ct)]
    windows = cycle(shown)
    samples = []
    for batch in batches:
        names, images = zip(*islice(windows, batch), strict=True)
        samples.append((list(names), {"image": torch.stack(images)}))
    return samples


@torch.no_grad()
def compare(
    part: Part, exported: Exported, *, batches: Sequence[int] = BATCHES, ct: Tensor | None = None
) -> list[Difference]:
    """Run a part and its export on the same inputs.

    Args:
        part: the reference.
        exported: takes the inputs by name and gives the outputs by name.
        batches, ct: see ``sample_inputs``.

    Returns:
        One difference per batch, window and output.
    """
    found: list[Difference] = []
    for names, inputs in sample_inputs(part, batches=batches, ct=ct):
        count = next(iter(inputs.values())).shape[part.name == HEAD]
        given, outputs = exported(**inputs), part.module(*inputs.values())
        outputs = (outputs,) if isinstance(outputs, Tensor) else outputs
        for output, expected in zip(part.outputs, outputs, strict=True):
            largest = float(expected.abs().max())
            for row, sample in enumerate(names):
                off = float((given[output][row] - expected[row]).abs().max())
                # comparisons with NaN are false, so it would pass for small
                off = off if off == off else float("inf")
                found.append(Difference(output, sample, count, off, largest))
    return found


def must_be_small(differences: Sequence[Difference], *, file: str) -> Difference:
    """The largest difference.

    Raises:
        T3DError: it is beyond the tolerance.
    """
    worst = max(differences, key=lambda found: found.relative)
    if worst.relative > TOLERANCE:
        raise T3DError(
            f"{file} would not do what the trained network does: {worst.output} is off by {worst.max_difference:.2g} "
            f"(largest value {worst.largest_value:.3g}) on a window of {worst.sample} among {worst.batch}, more than "
            f"{TOLERANCE:g} of it. Nothing was written; try other versions of torch and onnxruntime."
        )
    return worst


def as_record(differences: Sequence[Difference]) -> list[dict]:
    """The largest difference of each output, for a JSON file."""
    largest: dict[str, Difference] = {}
    for found in differences:
        if found.output not in largest or found.relative > largest[found.output].relative:
            largest[found.output] = found
    return [asdict(found) for found in largest.values()]
