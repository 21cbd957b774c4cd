"""Text features on a common scale, so that reports differ by what they say and not by what all of them share."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from t3d.errors import T3DError


class TextScale(NamedTuple):
    """(feature - centre) / scale, of report tokens and of sentences; float32 (T,) each.

    Pooled features of different patients' reports have cosines of .85 to .97; standardised they are told apart.
    """

    token_centre: Tensor
    token_scale: Tensor
    sentence_centre: Tensor
    sentence_scale: Tensor


class TextScaling(nn.Module):
    """Standardises frozen text features channel by channel, by numbers measured once over the cohort.

    Pooled features of different patients' reports have a cosine of .85 to .97: nearly all of their length is common
    to all. The numbers are buffers, so that they travel with the weights.

    Args:
        width: T, channels of a text feature.
    """

    token_centre: Tensor
    token_scale: Tensor
    sentence_centre: Tensor
    sentence_scale: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        for name in TextScale._fields:
            self.register_buffer(name, torch.zeros(width) if name.endswith("centre") else torch.ones(width))

    def set(self, scale: TextScale) -> None:
        """Take over the numbers of a cohort.

        Args:
            scale: means and standard deviations.

        Raises:
            T3DError: another width, or a scale that is not above 0.
        """
        found = scale._asdict()
        for name, values in found.items():
            buffer = self.get_buffer(name)
            if values.shape != buffer.shape:
                raise T3DError(
                    f"{name} has shape {tuple(values.shape)} but the network reads text of width {buffer.shape[0]}: "
                    "set text_width to that of the text encoder"
                )
            if not torch.isfinite(values).all() or (name.endswith("scale") and not (values > 0).all()):
                raise T3DError(f"{name} holds values that cannot scale: they must be finite, and scales above 0")
        for name, values in found.items():
            self.get_buffer(name).copy_(values)

    def tokens(self, features: Tensor) -> Tensor:
        """Standardised report tokens (.., T)."""
        return (features - self.token_centre) / self.token_scale

    def sentences(self, features: Tensor) -> Tensor:
        """Standardised sentence features (.., T)."""
        return (features - self.sentence_centre) / self.sentence_scale
