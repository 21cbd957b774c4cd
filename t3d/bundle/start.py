"""With which weights a training of a downstream bundle begins."""

from pathlib import Path

from monai.networks.nets.segresnet_ds import SegResNetDS
from torch import nn

from t3d.bundle.steps import Preparation
from t3d.monai_label.released_model import keep_released
from t3d.networks.segres_encoder import recompute_blocks
from t3d.networks.window_attention import fuse_attention
from t3d.train.fine_tuning import start_encoder
from t3d.weights import load_network


def start_network(
    network: nn.Module,
    *,
    ckpt_dir: str | Path,
    encoder_weights: str | None,
    preparation: Preparation,
    ignore_preprocessing: bool = False,
    use_checkpoint: bool = False,
    annotating: bool = False,
    rank: int = 0,
) -> None:
    """A pre-trained encoder or none; where annotators correct a model's results, that model, of which a copy is kept.

    Window attention of MONAI's SwinUNETR is made the fused one, which keeps less for the backward pass; names, shapes
    and outputs stay.

    Args:
        network: its weights are set in place.
        ckpt_dir: folder that holds, or will hold, ``model.pt``.
        encoder_weights, ignore_preprocessing: see ``start_encoder``.
        preparation: this run's, which must be the encoder's.
        use_checkpoint: of a SegResNetDS, which has no such option of its own; other networks were built with theirs.
        annotating: a MONAI Label server trains on what was submitted.
        rank: of this process; the first one keeps the copy.

    Raises:
        T3DError: weights that do not fit, or images prepared otherwise.
    """
    served = Path(ckpt_dir) / "model.pt"
    if annotating and served.is_file():
        load_network(network, served)
    else:
        start_encoder(network, encoder_weights, preprocessing=preparation, ignore_preprocessing=ignore_preprocessing)
    fuse_attention(network)
    if use_checkpoint and isinstance(network, SegResNetDS):
        recompute_blocks(network)
    if annotating and rank == 0:
        keep_released(ckpt_dir)
