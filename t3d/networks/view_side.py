"""What a step of crops gives the losses: anchors, candidates and restored crops."""

import torch
from torch import Tensor

from t3d.losses.gather import gather_rows
from t3d.networks.chunked import Rows, in_chunks
from t3d.networks.heads import unit
from t3d.networks.restoration_decoder import decode_tokens
from t3d.networks.text_image_encoder import TextImageEncoder
from t3d.networks.tokens import as_tokens, given
from t3d.networks.view_pairs import ViewPairs, pair_views


def view_side(
    network: TextImageEncoder,
    image: Tensor,
    corrupted: Tensor,
    features: Tensor | None,
    report_mask: Tensor | None,
    *,
    embed: bool,
) -> dict[str, Tensor]:
    """The tasks of crops, ``view_chunk`` crops at a time; shapes: ``PretrainNetwork.forward``.

    Args:
        embed: whether the volumes are embedded, which is by their clean views then.

    Returns:
        ``clean`` and ``corrupted``; with contrast ``anchor`` and ``candidate``; with restoration ``restored``; with
        ``embed`` ``volume``.
    """
    pairs = pair_views(image, corrupted)
    # a step that restores alone needs no clean tokens
    looked_at = pairs.candidates if network.use_contrast or embed else None
    informs = features is not None and network.fusion is not None
    report = given(features, report_mask) if informs else (None, None)

    def look(corrupted: Tensor, looked_at: Tensor | None, features: Tensor | None, report_mask: Tensor | None) -> Rows:
        # one pass of the encoder for both
        views = corrupted if looked_at is None else torch.cat([looked_at, corrupted])
        *clean_maps, maps = network.encode(views).split(len(corrupted))
        fused = as_tokens(maps)
        if features is not None:
            fused = network.inform(fused, features, report_mask)
        restored = None if network.decoder is None else decode_tokens(network.decoder, fused, maps)
        return fused, as_tokens(clean_maps[0]) if clean_maps else None, restored

    crops = corrupted.shape[1] * (1 if looked_at is None else 2)  # of a volume
    fused, clean, restored = in_chunks(look, corrupted, looked_at, *report, chunk=max(1, network.view_chunk // crops))
    assert fused is not None
    output = {"clean": pairs.clean, "corrupted": corrupted}
    if clean is not None:
        output |= _compared(network, pairs, fused, clean, features, report_mask, embed=embed)
    if restored is not None:
        output["restored"] = restored
    return output


def _compared(
    network: TextImageEncoder,
    pairs: ViewPairs,
    fused: Tensor,
    clean: Tensor,
    features: Tensor | None,
    report_mask: Tensor | None,
    *,
    embed: bool,
) -> dict[str, Tensor]:
    plain = network.embed_candidate(network.pooling.tokens(clean))
    output = {}
    if embed and network.use_sentences:
        output["volume"] = network.embed_volumes(network.summary.tokens(clean))
    elif embed:
        output["volume"] = unit(plain.mean(dim=1))
    if network.use_contrast:
        anchor = network.embed_anchor(network.pooling.tokens(fused))
        if network.candidates != "image":
            informed = _informed(network, clean, features, report_mask)
            plain = network.embed_candidate(network.pooling.tokens(informed))
        output["anchor"], output["candidate"] = pairs.align(anchor, plain)
    return output


def _informed(network: TextImageEncoder, clean: Tensor, features: Tensor | None, report_mask: Tensor | None) -> Tensor:
    """Candidates' tokens that have read a report: their own (B, K, N, C), or each anchor's (B, G, K, N, C)."""
    if network.candidates == "own_report":
        return network.inform(clean, features, report_mask)
    everyone = gather_rows(clean)  # (G, K, N, C)
    queries = everyone.flatten(0, 2).unsqueeze(0).expand(clean.shape[0], -1, -1)
    return network.fuse(queries, features, report_mask).unflatten(1, everyone.shape[:3])
