"""Windows over whole volumes, one after the other, and what they say together."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from monai.utils import convert_to_tensor
from torch import Tensor, nn

from t3d.errors import T3DError
from t3d.networks.window_grid import window_sides, window_starts


class VolumeWindows(nn.Module):
    """Covers a volume with windows, has those encoded that show more than air, and has their features classified.

    A subclass says how, by ``encode`` and ``classify``: with layers of torch, or with an exported network.

    Args:
        crop_size: window side in voxels, one number or three, divisible by 32.
        overlap: least overlap of neighbouring windows, as a share of the window.
        sw_batch_size: windows per pass through the encoder when a whole volume is given.
        body_level: intensity (after scaling to [0, 1]) above which a voxel is body.
        body_share: least share of body voxels in a window that counts; 0 counts all.
    """

    def __init__(
        self,
        *,
        crop_size: int | Sequence[int],
        overlap: float,
        sw_batch_size: int,
        body_level: float,
        body_share: float,
    ) -> None:
        super().__init__()
        self.window = window_sides(crop_size)
        self.overlap = overlap
        self.sw_batch_size = sw_batch_size
        self.body_level = body_level
        self.body_share = body_share

    def forward(self, image: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """Score volumes.

        Args:
            image: (B, 1, X, Y, Z) whole volumes of any size (a shorter side is padded with air); or with ``mask``:
                (B, W, s, s, s) windows, of which only those in the mask are encoded, or (B, W, C) window features.
            mask: (B, W) bool, windows that count.

        Returns:
            (B, F) logits.
        """
        image = convert_to_tensor(image, track_meta=False)
        if mask is None:
            if image.ndim != 5 or image.shape[1] != 1:
                raise T3DError(f"volumes of shape {tuple(image.shape)} cannot be scored: give (batch, 1, X, Y, Z)")
            return torch.cat([self.classify(*self.window_features(volume[0])) for volume in image])
        mask = convert_to_tensor(mask, track_meta=False)
        return self.classify(self.counted_features(image, mask), mask)

    def encode(self, windows: Tensor) -> Tensor:
        """Features (N, C) of windows (N, s, s, s)."""
        raise NotImplementedError

    def classify(self, features: Tensor, mask: Tensor) -> Tensor:
        """Logits (B, F) from window features (B, W, C) and their mask (B, W)."""
        raise NotImplementedError

    def counted_features(self, image: Tensor, mask: Tensor) -> Tensor:
        """Features (B, W, C) of windows (B, W, s, s, s), zero outside the mask (B, W); features stay as they are."""
        return _spread(self.encode(image[mask]), mask) if image.ndim == 5 else image

    def window_features(self, volume: Tensor) -> tuple[Tensor, Tensor]:
        """Features (1, W, C) and mask (1, W) of all windows of one volume (X, Y, Z), in the order of ``starts``.

        Windows of air are not encoded; their features are zero.
        """
        volume = self._padded(convert_to_tensor(volume, track_meta=False))
        cuts = [
            tuple(slice(a, a + n) for a, n in zip(start, self.window, strict=True)) for start in self.starts(volume)
        ]
        mask = torch.stack([self.is_body(volume[cut]) for cut in cuts])
        if not mask.any():
            mask = torch.ones_like(mask)
        counted = [cut for cut, body in zip(cuts, mask.tolist(), strict=True) if body]
        found = [
            self.encode(torch.stack([volume[cut] for cut in counted[place : place + self.sw_batch_size]]))
            for place in range(0, len(counted), self.sw_batch_size)
        ]
        return _spread(torch.cat(found), mask).unsqueeze(0), mask.unsqueeze(0)

    def starts(self, volume: Tensor) -> list[list[int]]:
        """First voxels of the windows that cover a volume (X, Y, Z)."""
        return window_starts(tuple(volume.shape), self.window, overlap=self.overlap).tolist()

    def is_body(self, window: Tensor) -> Tensor:
        """Whether a window counts, as a bool tensor without axes."""
        return (window > self.body_level).float().mean() >= self.body_share

    def _padded(self, volume: Tensor) -> Tensor:
        lacking = [max(0, wide - side) for side, wide in zip(volume.shape, self.window, strict=True)]
        return F.pad(volume, [pad for lack in reversed(lacking) for pad in (0, lack)]) if any(lacking) else volume


def _spread(features: Tensor, mask: Tensor) -> Tensor:
    """Rows (N, C) back to the N true places of a mask (..), zero elsewhere: (.., C)."""
    places = features.new_zeros((*mask.shape, features.shape[-1]))
    places[mask] = features
    return places
