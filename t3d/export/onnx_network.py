"""Exported networks in the place of the trained ones, for the bundles' inference."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from t3d.errors import T3DError
from t3d.export.parts import HEAD
from t3d.export.session import CPU, OnnxSession
from t3d.networks.volume_windows import VolumeWindows


class OnnxSegmenter(nn.Module):
    """Stands for the segmentation's network: windows (N, 1, s, s, s) -> logits (N, classes, s, s, s).

    Args:
        onnx_file: made by ``t3d export``.
        classes: number of classes, background included.
        providers: of onnxruntime.

    Raises:
        T3DError: the file cannot be read, or is of another number of classes.
    """

    def __init__(self, *, onnx_file: str, classes: int, providers: Sequence[str] = CPU) -> None:
        super().__init__()
        self.session = _session(onnx_file, "pred", providers)
        made = self.session.outputs["pred"][1]
        if made != classes:
            raise T3DError(
                f"{onnx_file} has {made} classes, the label table {classes}; leave --labels_file out, the table of "
                "the training lies beside the file."
            )

    def forward(self, image: Tensor) -> Tensor:
        """Return logits."""
        return self.session(image=image)["pred"]


class OnnxClassifier(VolumeWindows):
    """Stands for ``VolumeClassifier``: the encoder's part for a few windows at a time, the head's for all of a volume.

    Args:
        onnx_file: the encoder's part; the head's lies beside it.
        providers: of onnxruntime.
        crop_size, overlap, sw_batch_size, body_level, body_share: as for ``VolumeWindows``.
    """

    def __init__(
        self,
        *,
        onnx_file: str,
        crop_size: int | Sequence[int],
        overlap: float,
        sw_batch_size: int,
        body_level: float,
        body_share: float,
        providers: Sequence[str] = CPU,
    ) -> None:
        super().__init__(
            crop_size=crop_size,
            overlap=overlap,
            sw_batch_size=sw_batch_size,
            body_level=body_level,
            body_share=body_share,
        )
        self.session = _session(onnx_file, "features", providers)
        head = _session(Path(onnx_file).with_name(f"{HEAD}.onnx"), "pred", providers)
        self.pooling = _Attention(head) if "attention" in head.outputs else None
        self.head = head

    def encode(self, windows: Tensor) -> Tensor:
        """Features (N, C) of windows (N, s, s, s)."""
        return self.session(image=windows.unsqueeze(1))["features"]

    def classify(self, features: Tensor, mask: Tensor) -> Tensor:
        """Logits (1, F) from window features (1, W, C) and their mask (1, W)."""
        if self.pooling is not None:
            return self.pooling(features, mask)[0]
        return self.head(features=features, mask=mask)["pred"]


class OnnxEncoder(nn.Module):
    """Stands for ``PretrainNetwork`` where volumes are embedded, without any text.

    Args:
        onnx_file: the encoder's part, made by ``t3d export``; the head's, for whole volumes, lies beside it.
        providers: of onnxruntime.
    """

    def __init__(self, *, onnx_file: str, providers: Sequence[str] = CPU) -> None:
        super().__init__()
        self.session = _session(onnx_file, "embedding", providers)
        self.head = _session(Path(onnx_file).with_name(f"{HEAD}.onnx"), "pooled", providers)

    @property
    def use_text(self) -> bool:
        """Asked for where a sentence is to be read.

        Raises:
            T3DError: always, texts need the trained network.
        """
        raise T3DError("an exported encoder reads no text; leave sentence_file or inference_onnx.json out")

    def forward(self, image: Tensor) -> Tensor:
        """Unit embeddings (N, D) of windows (N, 1, s, s, s)."""
        return self.session(image=image)["embedding"]

    def window_features(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Token maps (N, C, ..) of windows (N, 1, s, s, s) and their statistics (N, k C)."""
        made = self.session(image=windows)
        return made["map"], made["features"]

    def window_scales(self, windows: Tensor, scales: Sequence[int]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Asked for where several scales are read.

        Raises:
            T3DError: always, an export has one map.
        """
        raise T3DError("an exported encoder gives one map; leave scales null, or leave inference_onnx.json out")

    def embed_pooled(self, pooled: Tensor) -> Tensor:
        """Unit embedding (1, D) of one volume from the statistics of its windows (W, k C)."""
        return self._volume(pooled)["embedding"]

    def pool_windows(self, pooled: Tensor) -> Tensor:
        """Statistics (1, k C) of one volume from those of its windows (W, k C)."""
        return self._volume(pooled)["pooled"]

    def _volume(self, pooled: Tensor) -> dict[str, Tensor]:
        return self.head(
            features=pooled.unsqueeze(0), mask=torch.ones(1, len(pooled), dtype=torch.bool, device=pooled.device)
        )


class _Attention(nn.Module):
    """A module, so that the attention can be listened to as in ``VolumeClassifier``."""

    def __init__(self, session: OnnxSession) -> None:
        super().__init__()
        self.session = session

    def forward(self, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        made = self.session(features=features, mask=mask)
        return made["pred"], made["attention"]


def _session(file: str | Path, output: str, providers: Sequence[str]) -> OnnxSession:
    session = OnnxSession(file, providers=providers)
    if output not in session.outputs:
        raise T3DError(
            f"{file} gives {', '.join(session.outputs)}, not {output}: it was exported from another bundle or by an "
            "older version; give --onnx_file an export of this one."
        )
    return session
