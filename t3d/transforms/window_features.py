"""Window features of a frozen encoder, computed once per volume and kept on disk."""

import hashlib
import json
import logging
from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import safetensors.torch
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from safetensors import SafetensorError
from torch import Tensor

from t3d.atomic import write_atomically
from t3d.errors import T3DError
from t3d.networks.volume_classifier import VolumeClassifier
from t3d.transforms.windows import MASK_KEY
from t3d.weights import encoder_state

logger = logging.getLogger(__name__)


class WindowFeatures:
    """Cache of what an encoder sees in every window of a volume: ``features`` (W, C) and ``mask`` (W,).

    A file's name is a hash of the encoder's weights, the settings, and the volume file's path, size and time of
    change: whatever changes, the features are computed anew. Files of an earlier encoder stay until deleted.

    Args:
        network: has an encoder and ``window_features(volume (X, Y, Z)) -> (1, W, C), (1, W)``, such as
            ``VolumeClassifier``. Its encoder must stay as it is (frozen) while the cache is in use.
        preprocessing: from an item to the item with ``image`` (1, X, Y, Z).
        cache_dir: made if absent.
        settings: all that decides what the features are besides the weights: preprocessing, crop, overlap, ..
        device: where the encoder runs.
    """

    def __init__(
        self,
        *,
        network: VolumeClassifier,
        preprocessing: Callable[[dict], dict],
        cache_dir: str | Path,
        settings: Mapping[str, Any],
        device: torch.device | str = "cpu",
    ) -> None:
        self.network = network
        self.preprocessing = preprocessing
        self.folder = Path(cache_dir)
        self.settings = json.dumps(settings, sort_keys=True, default=list)
        self.device = torch.device(device)
        self._encoder_hash: str | None = None

    def precompute(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Compute what is missing, with the weights that the network has now; processes share the work."""
        self._encoder_hash = _state_hash(encoder_state(self.network))
        items = list(items)
        missing = [item for item in items if not self.path(item).is_file()]
        idist.barrier()  # nobody may write before all have listed, or the shares would differ
        for number, item in enumerate(missing[idist.get_rank() :: idist.get_world_size()]):
            self._compute(item)
            if (number + 1) % 50 == 0:
                logger.info("window features: %d of %d volumes", number + 1, len(missing))
        idist.barrier()
        logger.info(
            "window features: %d volumes computed, %d found in %s",
            len(missing), len(items) - len(missing), self.folder,
        )  # fmt: skip

    def read(self, item: Mapping[Any, Any]) -> tuple[Tensor, Tensor]:
        """Features (W, C) and mask (W,) of one case.

        Raises:
            T3DError: not computed yet, or the file is damaged.
        """
        path = self.path(item)
        if not path.is_file():
            raise T3DError(f"case {item['case_id']}: no window features in {self.folder}; precompute them first")
        try:
            found = safetensors.torch.load_file(path)
            return found["features"], found["mask"]
        except (SafetensorError, OSError, KeyError) as error:
            raise T3DError(f"case {item['case_id']}: {path} is damaged; delete it and run again") from error

    def path(self, item: Mapping[str, Any]) -> Path:
        """The file of one case."""
        if self._encoder_hash is None:
            raise T3DError("window features are asked for before precompute: their encoder is not known yet")
        file = Path(item["image"])
        if not file.exists():
            raise T3DError(f"case {item['case_id']}: image {file} does not exist; correct the path")
        stat = file.stat()
        identity = [self._encoder_hash, self.settings, str(file.absolute()), stat.st_size, stat.st_mtime_ns]
        return self.folder / f"{hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]}.safetensors"

    def _compute(self, item: Mapping[str, Any]) -> None:
        training = self.network.training
        self.network.eval()
        volume = self.preprocessing({"case_id": item["case_id"], "image": item["image"]})["image"]
        with torch.inference_mode():
            features, mask = self.network.window_features(volume[0].to(self.device))
        self.network.train(training)
        tensors = {"features": features[0].float().cpu().contiguous(), "mask": mask[0].cpu().contiguous()}
        write_atomically({self.path(item): safetensors.torch.save(tensors)})


class WindowFeaturesd(MapTransform):
    """Puts the cached features (W, C) in place of the path under each key, and ``window_mask`` beside them."""

    def __init__(self, keys: KeysCollection = "image", *, features: WindowFeatures) -> None:
        super().__init__(keys)
        self.features = features

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of the item with features."""
        item = dict(data)
        for key in self.key_iterator(item):
            item[key], item[MASK_KEY] = self.features.read(item)
        return item


def _state_hash(state: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(state[name].float().numpy().tobytes())
    return digest.hexdigest()
