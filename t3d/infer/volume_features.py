"""Features of whole volumes at full resolution, by sliding windows."""

from collections.abc import Sequence
from typing import Any

import torch
from monai.inferers import Inferer, SlidingWindowInferer
from monai.utils import convert_to_tensor, ensure_tuple_rep
from torch import Tensor

from t3d.errors import T3DError
from t3d.infer.body_windows import body_windows
from t3d.networks.encoders import STRIDE, some_sides
from t3d.networks.text_map import text_map
from t3d.networks.token_pooling import pool_tokens, pool_windows


class VolumeFeatures(Inferer):
    """Slides windows over a volume and returns its embedding, its pooled features and their map.

    - ``embedding`` (1, D): unit vector, as ``forward`` makes it of the windows as views;
    - ``features`` (1, k C): statistics of the tokens before the projection (what a linear probe reads): their mean, or
      beside it the extremes that the network pools, see ``PretrainNetwork.window_features``;
    - ``map`` (1, C, X/s, Y/s, Z/s), with ``maps``: the tokens, overlapping windows averaged; s is the network's
      ``fuse_stride``;
    - ``text_map`` (1, 1, X/s, Y/s, Z/s), when a text is given: see ``PretrainNetwork.text_map``;
    - ``features_d`` (1, 3 C_d) of every scale d that is asked for: mean, maximum and minimum of the encoder's own
      tokens of that stride, as ``pool_tokens`` has them for probes; with ``maps`` also ``map_d`` (1, C_d, X/d, Y/d,
      Z/d), the tokens.

    Windows that show almost only air (below ``body_share`` of voxels above ``body_level``) count in the maps but not
    in the pooled vectors, unless every window is air. With ``of_body`` the pooled vectors are of other windows than
    the maps, those of ``body_windows``; without maps and text these are then the only ones that are encoded.

    Args:
        crop_size: window side in voxels, divisible by 32. Windows overlap by about half, at multiples of 32.
        sw_batch_size: windows per pass through the network.
        body_level: intensity (after scaling to [0, 1]) above which a voxel is body.
        body_share: least share of body voxels in a window that counts.
        text: {"report": (1, L) or (1, L, D), "report_mask": (1, L)} or None.
        scales: strides of the encoder's maps that are read, too; voxels a side of a token.
        maps: whether tokens are kept as maps; those of fine strides are large.
        of_body: for networks that learnt from windows of whole volumes (``use_sentences``).
    """

    def __init__(
        self,
        *,
        crop_size: int | Sequence[int],
        sw_batch_size: int = 4,
        body_level: float = 0.2,
        body_share: float = 0.05,
        text: dict[str, Tensor] | None = None,
        scales: Sequence[int] | None = None,
        maps: bool = True,
        of_body: bool = False,
    ) -> None:
        super().__init__()
        self.crop_size = ensure_tuple_rep(crop_size, 3)
        if any(side % STRIDE for side in self.crop_size):
            raise T3DError(f"crop_size {crop_size} is not divisible by {STRIDE}: use {some_sides(STRIDE)}")
        steps = [STRIDE * max(1, -(-side // (2 * STRIDE))) for side in self.crop_size]
        self.slide = SlidingWindowInferer(
            roi_size=self.crop_size,
            sw_batch_size=sw_batch_size,
            overlap=tuple(1 - step / side for step, side in zip(steps, self.crop_size, strict=True)),
            mode="constant",
        )
        self.body_level = body_level
        self.body_share = body_share
        self.text = text
        self.scales = tuple(scales or ())
        self.maps = maps
        self.of_body = of_body

    def __call__(self, inputs: Tensor, network: Any, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Return the features of one volume.

        Args:
            inputs: (1, C, X, Y, Z), every side divisible by 32 and at least the window's.
            network: ``PretrainNetwork``.
        """
        sides = tuple(inputs.shape[2:])
        if inputs.shape[0] != 1 or any(
            side % STRIDE or side < window for side, window in zip(sides, self.crop_size, strict=True)
        ):
            raise T3DError(
                f"volume of shape {tuple(inputs.shape)} must be (1, channel, X, Y, Z) with sides divisible by "
                f"{STRIDE} and not below the window {self.crop_size}: pad it first (SpatialPadd, DivisiblePadd)"
            )
        pooled = _Pooled(network, self.scales)
        result: dict[str, Tensor] = {}
        if self.maps or self.text is not None or not self.of_body:
            result = self._slide(inputs, network, pooled)
        if self.of_body:
            pooled = _Pooled(network, self.scales)
            volume = convert_to_tensor(inputs[0], track_meta=False)
            windows = body_windows(volume, self.crop_size, body_level=self.body_level, body_share=self.body_share)
            for part in windows.split(self.slide.sw_batch_size):
                pooled.add(part)
                pooled.body.append(part.new_ones(len(part), dtype=torch.bool))
        return result | pooled.vectors()

    def _slide(self, inputs: Tensor, network: Any, pooled: "_Pooled") -> dict[str, Tensor]:
        """The maps that are asked for; what the windows show is left in ``pooled``."""

        def look(windows: Tensor) -> tuple[Tensor, ...]:
            tokens, maps = pooled.add(windows)
            pooled.body.append((windows > self.body_level).flatten(1).float().mean(dim=1) >= self.body_share)
            seen = (tokens, *maps) if self.maps else (tokens,)
            if self.text is None:
                return seen
            text = {key: value.expand(windows.shape[0], *value.shape[1:]) for key, value in self.text.items()}
            return *seen, text_map(network, windows, **text)

        slid: Any = self.slide(inputs, look)
        maps = slid if isinstance(slid, tuple) else (slid,)
        result = {}
        if self.maps:
            result["map"] = maps[0]
            result |= {f"map_{scale}": maps[1 + place] for place, scale in enumerate(self.scales)}
        if self.text is not None:
            result["text_map"] = maps[-1]
        return result


class _Pooled:
    """Statistics of the windows that were looked at, and which of them count."""

    def __init__(self, network: Any, scales: Sequence[int]) -> None:
        self.network, self.scales = network, scales
        self.statistics: list[Tensor] = []
        self.of_scales: list[list[Tensor]] = []
        self.body: list[Tensor] = []

    def add(self, windows: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Look at windows; returns their tokens, and those of each scale."""
        maps: list[Tensor] = []
        if self.scales:
            tokens, statistics, maps = self.network.window_scales(windows, self.scales)
            self.of_scales.append([pool_tokens([one]) for one in maps])
        else:
            tokens, statistics = self.network.window_features(windows)
        self.statistics.append(statistics)
        return tokens, maps

    def vectors(self) -> dict[str, Tensor]:
        """``embedding``, ``features`` and ``features_d``; of all windows where none counts."""
        counted = torch.cat(self.body)
        if not counted.any():
            counted = torch.ones_like(counted)
        statistics = torch.cat(self.statistics)[counted]
        result = {
            "embedding": self.network.embed_pooled(statistics),
            "features": self.network.pool_windows(statistics),
        }
        for place, scale in enumerate(self.scales):
            of_windows = torch.cat([parts[place] for parts in self.of_scales])
            result[f"features_{scale}"] = pool_windows(of_windows.unsqueeze(0), counted.unsqueeze(0))
        return result
