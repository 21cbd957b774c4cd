"""bfloat16 on a CPU: are the gradients of this network's convolutions right there?"""

from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor, nn

from t3d.errors import T3DError

# Sides up to this are tried: larger maps cost time and were right wherever they were tried.
SMALL = 4
_TRIES, _TOLERANCE = 4, 0.1  # bfloat16 itself differs by .003


class CheckBfloat16:
    """Stops a training whose gradients would be wrong, in its first step (ours).

    Measured with torch 2.13 on a CPU with AVX512-BF16: the weight gradient of a 3 x 3 x 3 convolution over maps whose
    first side is 2 reads memory that nobody wrote, so it is mostly near to right, sometimes 1,000 times too large and
    sometimes not finite. Such maps are the deepest ones of small crops. Each kind of convolution over a small map that
    runs in bfloat16 is compared with float32 once.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self._seen: set[tuple] = set()
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer that autocasts to bfloat16 on a CPU."""
        engine.add_event_handler(Events.STARTED, self._watch)
        # not once=1, which counts iterations of the training: one that goes on begins at a later number
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._leave)

    def _watch(self, _: Engine) -> None:
        for module in self.network.modules():
            if isinstance(module, nn.Conv3d):
                self._hooks.append(module.register_forward_pre_hook(self._look))

    def _leave(self, _: Engine) -> None:
        while self._hooks:
            self._hooks.pop().remove()

    def _look(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, nn.Conv3d)
        sides = tuple(inputs[0].shape[2:])
        kind = (layer.weight.shape, layer.stride, layer.padding, sides)
        if kind in self._seen or min(sides) > SMALL or not torch.is_autocast_enabled("cpu"):
            return
        self._seen.add(kind)
        if not gradient_is_right(layer, sides):
            shown = " x ".join(map(str, sides))
            raise T3DError(
                f"this torch ({torch.__version__}) computes wrong gradients in bfloat16 on this CPU, for convolutions "
                f"over maps of {shown} voxels: pass --amp False, or larger crops"
            )


def gradient_is_right(layer: nn.Conv3d, sides: tuple[int, ...]) -> bool:
    """Whether the weights' gradient of a convolution in bfloat16 is that of float32, for maps of these sides."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(2, layer.in_channels, *sides, generator=generator)
    weight = layer.weight.detach().clone().requires_grad_()
    settings: Any = (None, layer.stride, layer.padding, layer.dilation, layer.groups)
    with torch.enable_grad(), torch.autocast("cpu", enabled=False):
        right = torch.nn.functional.conv3d(image, weight, *settings)
        push = torch.randn(right.shape, generator=generator)
        (expected,) = torch.autograd.grad(right, weight, push)
        for _ in range(_TRIES):
            _leave_traces(weight.numel())
            with torch.autocast("cpu", torch.bfloat16):
                found = torch.nn.functional.conv3d(image, weight, *settings)
            (gradient,) = torch.autograd.grad(found, weight, push.to(found.dtype))
            error = (gradient.float() - expected).norm() / expected.norm().clamp_min(1e-12)
            if not error < _TOLERANCE:  # also where it is not a number
                return False
    return True


def _leave_traces(size: int) -> None:
    """Fill memory that is given back at once, so that reading what nobody wrote shows."""
    traces = [torch.full((count,), 7e3) for count in (1003, 20011, 100003, size, 3 * size, 1000003, 3000017)]
    del traces
