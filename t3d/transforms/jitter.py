"""Views that do not share their intensities, so that a histogram cannot find the partner."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import (
    Compose,
    MapTransform,
    RandAdjustContrast,
    RandGaussianNoise,
    RandGaussianSmooth,
    Randomizable,
    RandScaleIntensity,
    RandShiftIntensity,
)
from monai.utils import convert_to_tensor

from t3d.errors import T3DError

# Of the defaults below, what windows may have that the text speaks of: brightness within the range of one scanner.
# Gamma, blur and noise would hide findings that are told by their density (fatty liver) or their edge.
_SOFT = {"scale": 0.05, "shift": 0.02, "gamma": 0.0, "noise": 0.0, "blur": 0.0}
_HARD = {"scale": 0.1, "shift": 0.05, "gamma": 0.3, "noise": 0.02, "blur": 1.0}


def jitter_steps(jitter: float, keys: KeysCollection = "image", *, soft: bool = False) -> list["RandJitterViewsd"]:
    """The jitter of one option: no transform for 0, so that no random number is spent.

    Args:
        jitter: 1 for the strengths of ``RandJitterViewsd``, other numbers for multiples of them.
        keys: of the views.
        soft: for windows of whole volumes: half the scale and two fifths of the shift, nothing else (ours).

    Raises:
        T3DError: a jitter below 0.
    """
    if jitter < 0:
        raise T3DError(f"jitter is {jitter}; set it to 0 (none) or more, 1 for the usual strengths.")
    strengths = {name: jitter * value for name, value in (_SOFT if soft else _HARD).items()}
    return [RandJitterViewsd(keys, **strengths)] if jitter else []


class RandJitterViewsd(Randomizable, MapTransform):
    """Changes the intensities of each view (K, C, X, Y, Z) on its own: scale, shift, gamma, blur, noise (ours).

    Two crops of one volume share their windowing, noise and blur, and a histogram of 26 bins without any learning then
    finds the partner among 16 in 59 % of batches of phantoms (with independent scale and shift: 11.5 %). Intensity
    carries findings, too: what is jittered hard cannot be told from a fatty liver any more. MONAI's transforms do the
    work; values are clipped to [0, 1] before gamma, which is undefined below 0.

    Args:
        keys: views with values in [0, 1].
        scale: largest relative change of brightness; .1 multiplies by .9 to 1.1.
        shift: largest shift; .05 is 100 HU of a window of 2,000 HU.
        gamma: exponents lie in 1 / (1 + gamma) to 1 + gamma.
        noise: largest standard deviation of added Gaussian noise.
        blur: largest sigma of Gaussian smoothing in voxels, applied to `blur_share` of the views.
        blur_share: share of the views that are smoothed.

    Raises:
        T3DError: a strength below 0 or a share outside 0..1.
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        *,
        scale: float = _HARD["scale"],
        shift: float = _HARD["shift"],
        gamma: float = _HARD["gamma"],
        noise: float = _HARD["noise"],
        blur: float = _HARD["blur"],
        blur_share: float = 0.3,
    ) -> None:
        MapTransform.__init__(self, keys)
        for name, value in {"scale": scale, "shift": shift, "gamma": gamma, "noise": noise, "blur": blur}.items():
            if value < 0:
                raise T3DError(f"the jitter's {name} is {value}; set it to 0 (none) or more.")
        if not 0 <= blur_share <= 1:
            raise T3DError(f"the jitter's blur_share is {blur_share}; it is a share of views, set it in 0..1.")
        sigma = (0.1, max(blur, 0.1))
        self.steps = Compose(
            [
                RandScaleIntensity(factors=scale, prob=float(scale > 0)),
                RandShiftIntensity(offsets=shift, prob=float(shift > 0)),
                _clip,
                RandAdjustContrast(gamma=(1 / (1 + gamma), 1 + gamma), prob=float(gamma > 0)),
                RandGaussianSmooth(sigma, sigma, sigma, prob=blur_share if blur > 0 else 0.0),
                RandGaussianNoise(std=noise, prob=float(noise > 0)),
            ]
        )

    def set_random_state(
        self, seed: int | None = None, state: np.random.RandomState | None = None
    ) -> "RandJitterViewsd":
        """Seed this transform and those inside it."""
        super().set_random_state(seed=seed, state=state)
        self.steps.set_random_state(state=self.R)
        return self

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of the item with jittered views; the given tensors are not changed."""
        item = dict(data)
        for key in self.key_iterator(item):
            views = convert_to_tensor(item[key], track_meta=False)
            # MONAI's transforms give tensors with metadata, which slow down all that the network does with them
            item[key] = torch.stack([convert_to_tensor(self.steps(view.clone()), track_meta=False) for view in views])
        return item


def _clip(view: torch.Tensor) -> torch.Tensor:
    return view.clamp(0, 1)
