"""Pre-training networks from their settings, as a configuration or a record beside weights has them."""

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from t3d.networks.pretrain import VERSION_0_1, PretrainNetwork

_NOT_RECORDED = ("text_encoder", "use_checkpoint", "text_chunk", "view_chunk")


def recorded_names() -> list[str]:
    """Names of the settings of a ``PretrainNetwork`` that its record keeps."""
    return [name for name in inspect.signature(PretrainNetwork).parameters if name not in _NOT_RECORDED]


def network_settings(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a trained network, for ``pretrain_network``.

    Args:
        recorded: settings of an ``encoder.json``, of version 0.1 or later, and whatever else; {} where there is none:
            the full-size recipe then.
    """
    found = {name: recorded[name] for name in recorded_names() if name in recorded}
    if found and VERSION_0_1.keys().isdisjoint(found):
        return {"use_text": True, "use_sentences": False, **VERSION_0_1, **found}
    # the full-size recipe trains with all three tasks
    use_text = found.get("use_text", True)
    return {"use_text": use_text, "use_sentences": use_text, **found}


def pretrain_network(
    settings: Mapping[str, Any], *, text_encoder: nn.Module | None = None, **more: Any
) -> PretrainNetwork:
    """Build a ``PretrainNetwork``.

    Args:
        settings: as a record keeps them.
        text_encoder: see ``PretrainNetwork``; None where reports come as cached features.
        **more: settings that no record keeps: ``use_checkpoint``, ``text_chunk``, ``view_chunk``.
    """
    return PretrainNetwork(**settings, text_encoder=text_encoder, **more)
