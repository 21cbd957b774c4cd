"""A sentence from a file, ready to be looked for in volumes."""

from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from t3d.errors import T3DError
from t3d.networks.pretrain import PretrainNetwork
from t3d.networks.text_encoder import TextEncoder, load_tokenizer
from t3d.networks.text_encoder_folder import check_identity
from t3d.reports.tokens import ReportTokenizer


def read_sentence(
    sentence_file: str,
    *,
    network: PretrainNetwork,
    text_encoder: str,
    revision: str | None,
    max_tokens: int,
    device: torch.device,
    identity: str | None = None,
) -> dict[str, Tensor]:
    """Encode the text of a file with the encoder that the network was trained with.

    The text comes from a file because a configuration would change it (``#``, ``$`` and ``%`` have meanings there).

    Args:
        sentence_file: text file.
        network, text_encoder, revision, max_tokens, identity: as for ``TextEmbeddings``.
        device: of what is returned.

    Returns:
        ``report`` (1, L, D) features and ``report_mask`` (1, L), on the device.

    Raises:
        T3DError: the file is missing or empty, the network reads no text, or it was trained with another text encoder.
    """
    path = Path(sentence_file)
    if not path.is_file() or not (sentence := path.read_text(encoding="utf-8").strip()):
        raise T3DError(f"sentence_file {sentence_file} is missing or empty: write one sentence into it")
    if not network.use_text:
        raise T3DError("sentence_file is given but the network was trained with use_text false: it reads no text")
    encoder = cast(TextEncoder, network.text_encoder) or TextEncoder(text_encoder, revision=revision)
    check_identity(encoder.identity, identity)
    reports = ReportTokenizer(load_tokenizer(text_encoder, revision=revision), max_tokens=max_tokens)
    ids = reports(sentence, path.name).ids.unsqueeze(0)
    with torch.no_grad():
        features = encoder.to(ids.device)(ids)
    return {
        "report": features.to(device),
        "report_mask": torch.ones(ids.shape, dtype=torch.bool, device=device),
    }
