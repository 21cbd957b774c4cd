"""One training step of each pre-training recipe on random crops, for the benchmarks beside it.

T3D's recipes by the names that the benchmarks print, and stock Swin UNETR pre-training (rotation, contrast,
in-painting) on as many volumes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from monai.networks.nets.swin_unetr import WindowAttention
from stock_ssl import StockPretraining, stock_loss
from torch import Tensor, nn

from t3d.losses.pretrain import PretrainLoss
from t3d.networks.fitting_window import PUBLISHED, fitting_window
from t3d.networks.pretrain import VERSION_0_1, PretrainNetwork
from t3d.networks.window_attention import FusedWindowAttention

REPORT = (256, 768)  # tokens and channels of a RadBERT report of usual length
SAID = (12, 8)  # sentences of a report, and those that are asked


@dataclass(frozen=True)
class Recipe:
    """A recipe of pre-training.

    Attributes:
        network: settings beside sizes.
        windows: text windows a volume.
        both_ways: every view is an anchor and a candidate, as in the paper's recipe.
        pairs: of views, where they are ordered.
        stock: Swin UNETR's own pre-training instead of T3D's.
    """

    network: dict[str, Any] = field(default_factory=dict)
    windows: int = 0
    both_ways: bool = False
    pairs: int = 1
    stock: bool = False

    @property
    def crops(self) -> int:
        """Crops of a volume that are encoded in a step."""
        views = 2 if self.stock else 4 if self.both_ways else 2 * self.pairs
        return views + self.windows


_TEXT = Recipe({"use_sentences": True}, windows=8)
_SEGRES = {"backbone": "segres", "feature_size": 32}
RECIPES = {
    "T3D": _TEXT,
    "T3D, 32 text windows": replace(_TEXT, windows=32),
    "T3D without text windows": Recipe(),
    "T3D, SegRes": replace(_TEXT, network=_TEXT.network | _SEGRES),
    "T3D without text windows, SegRes": Recipe(_SEGRES),
    "T3D's vision-only twin": Recipe({"use_text": False}, pairs=5),
    "T3D, paper.json": Recipe({**VERSION_0_1, "window_size": PUBLISHED}, both_ways=True),
    "stock Swin UNETR": Recipe(stock=True),
    "stock Swin UNETR, window 7": Recipe({"window_size": PUBLISHED}, stock=True),
}


def build(recipe: Recipe, *, size: int, width: int, **network: Any) -> nn.Module:
    """The network of a recipe for crops of a side; ``network`` overrides its settings.

    Stock networks have MONAI's own attention, and the window of all others unless one is given.
    """
    settings = {"feature_size": width, "window_size": fitting_window(size), **recipe.network, **network}
    if not recipe.stock:
        return PretrainNetwork(text_width=REPORT[1], **settings)
    net = StockPretraining(**settings)
    for module in net.modules():
        if type(module) is FusedWindowAttention:
            module.__class__ = WindowAttention
    return net


def batch_of(recipe: Recipe, *, batch: int, size: int, device: str = "cpu") -> dict[str, Tensor]:
    """What the recipe's network takes in a step of ``batch`` volumes."""
    views = 2 if recipe.stock or recipe.both_ways else 2 * recipe.pairs
    image = torch.rand(batch, views, 1, size, size, size, device=device)
    inputs = {
        "image": image,
        "corrupted": 1 - (image if recipe.stock or recipe.both_ways else image[:, : recipe.pairs]),
    }
    if recipe.network.get("use_text", True) and not recipe.stock:
        inputs["report"] = torch.randn(batch, *REPORT, device=device)
        inputs["report_mask"] = torch.ones(batch, REPORT[0], dtype=torch.bool, device=device)
    if recipe.windows:
        inputs["windows"] = torch.rand(batch, recipe.windows, 1, size, size, size, device=device)
        inputs["window_mask"] = torch.ones(batch, recipe.windows, dtype=torch.bool, device=device)
        inputs["said"] = torch.randn(batch, SAID[0], REPORT[1], device=device)
        inputs["said_mask"] = torch.ones(batch, SAID[0], dtype=torch.bool, device=device)
        inputs["drawn"] = torch.arange(SAID[1], device=device).expand(batch, -1)
    return inputs


def step_loss(recipe: Recipe) -> Callable[[nn.Module, dict[str, Tensor]], Tensor]:
    """The loss of a step, from the network and what ``batch_of`` gives."""
    if recipe.stock:
        return lambda net, inputs: stock_loss(net, inputs["image"], inputs["corrupted"])
    criterion = PretrainLoss(sentence_weight=1.0 if recipe.windows else 0.0)
    return lambda net, inputs: criterion(net(**inputs))
