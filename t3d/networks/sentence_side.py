"""What a step of sentences gives the losses: volumes by their windows, sentences by their features."""

import torch
from torch import Tensor

from t3d.errors import T3DError
from t3d.networks.chunked import in_chunks
from t3d.networks.text_image_encoder import TextImageEncoder


def sentence_side(
    network: TextImageEncoder,
    windows: Tensor,
    *,
    window_mask: Tensor | None,
    said: Tensor | None,
    said_mask: Tensor | None,
    drawn: Tensor | None,
    opposite: Tensor | None = None,
) -> dict[str, Tensor]:
    """Embed volumes, the drawn sentences and what belongs to them; shapes: ``PretrainNetwork.forward``.

    Returns:
        ``volume``, ``sentence``, ``spoken``, ``owner``, ``said``, ``said_mask``; with ``opposite`` also ``opposite``
        (B * S, D) and ``opposed`` (B * S,) bool, False where a sentence is its own opposite; of a network with
        clusters also ``cluster`` (K, D), ``cluster_share`` (K,) and ``cluster_said`` (B, K) bool.

    Raises:
        T3DError: windows without sentences.
    """
    if said is None or said_mask is None or drawn is None:
        raise T3DError("windows are given without sentences: give said, said_mask and drawn, or no windows")
    (pooled,) = in_chunks(
        lambda part: (network.window_features(part)[1],), windows.flatten(0, 1), chunk=network.text_chunk
    )
    assert pooled is not None
    pooled = pooled.unflatten(0, windows.shape[:2])
    spoken = _rows(said, drawn)
    output = {"volume": network.embed_volumes(pooled, window_mask), "sentence": network.embed_sentence(spoken)}
    if opposite is not None:
        other = _rows(opposite, drawn)
        output |= {"opposite": network.embed_sentence(other), "opposed": (other != spoken).any(dim=1)}
    if network.text_scale is not None:
        spoken, said = network.text_scale.sentences(spoken), network.text_scale.sentences(said)
    if network.text_clusters is not None:
        output |= {
            "cluster": network.embed_clusters(),
            "cluster_share": network.text_clusters.share,
            "cluster_said": network.text_clusters.held(said, said_mask),
        }
    owner = torch.arange(len(drawn), device=drawn.device).unsqueeze(1)
    owner = owner.where(drawn >= 0, -1).flatten()
    return output | {"spoken": spoken, "owner": owner, "said": said, "said_mask": said_mask}


def _rows(features: Tensor, drawn: Tensor) -> Tensor:
    """The drawn rows (B, S) of features (B, R, T) one below the other, (B * S, T); any row for -1."""
    # places instead of the ragged rows that are drawn: picking those would make the device wait for their number
    rows = drawn.clamp_min(0).unsqueeze(-1).expand(-1, -1, features.shape[-1])
    return features.gather(1, rows).flatten(0, 1)
