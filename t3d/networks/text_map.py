"""Where in a crop a text speaks."""

import torch
from torch import Tensor

from t3d.networks.text_image_encoder import TextImageEncoder
from t3d.networks.tokens import as_tokens, mean_token


def text_map(network: TextImageEncoder, image: Tensor, *, report: Tensor, report_mask: Tensor) -> Tensor:
    """One value per visual token of crops (B, C, X, Y, Z), (B, 1, X/s, Y/s, Z/s), s = ``fuse_stride``.

    With a sentence or a report head: cosine between the text and each visual token, projected as if it were all of a
    volume (as in dense CLIP maps). Without: how far reading the text moves the token's embedding, 1 - cosine(u_n, v_n)
    (ours). All are aids for looking at what was learnt, not detections.

    Args:
        network: with its weights.
        image: crops.
        report, report_mask: the text, as for ``PretrainNetwork.forward``.
    """
    maps = network.encode(image.unsqueeze(1))
    tokens = as_tokens(maps)
    features = network.read_report(report)
    if network.sentence_head is not None or network.report_head is not None:
        if network.sentence_head is not None:
            text = network.embed_sentence(mean_token(features, report_mask))
        else:
            text = network.embed_report(features, report_mask)
        values = torch.einsum("bnd,bd->bn", network.embed_each(network.summary.single(tokens))[:, 0], text)
    else:
        informed = network.inform(tokens, features, report_mask)
        one, other = (network.embed_anchor(network.pooling.single(part))[:, 0] for part in (informed, tokens))
        values = 1 - (one * other).sum(dim=-1)
    return values.unflatten(1, maps.shape[3:]).unsqueeze(1)
