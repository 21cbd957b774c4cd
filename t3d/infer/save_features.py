"""One feature file per case, and pictures of where a sentence speaks."""

import gzip
import logging
from pathlib import Path

import nibabel
import safetensors.torch
import torch
from ignite.engine import Engine, Events

from t3d.atomic import Write, write_atomically
from t3d.files import refuse_existing
from t3d.infer.text_picture import text_picture
from t3d.networks.encoders import STRIDE

logger = logging.getLogger(__name__)


class SaveFeatures:
    """Writes ``CASE.safetensors`` with ``embedding`` (D,), ``features`` (k C,), and on request ``map`` (C, x, y, z).

    ``affine`` (4, 4) takes voxels of the prepared volume to millimetres in RAS; ``map_affine`` does so for voxels of
    the map. For every scale d that was read there are ``features_d`` (3 C_d,), and with the map ``map_d`` and
    ``map_affine_d``. With a text also ``CASE_text.nii.gz`` (in the map's grid, which viewers overlay by its affine)
    and ``CASE_text.png``.

    Args:
        output_dir: made if absent.
        save_map: whether the map is stored too.
        overwrite: whether files of an earlier run may be replaced.
    """

    def __init__(self, *, output_dir: str, save_map: bool = False, overwrite: bool = False) -> None:
        self.folder = Path(output_dir)
        self.save_map = save_map
        self.overwrite = overwrite
        self.count = 0

    def attach(self, engine: Engine) -> None:
        """Attach to the evaluator."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.save)
        engine.add_event_handler(Events.COMPLETED, self.say)

    def save(self, engine: Engine) -> None:
        """Write the files of one case."""
        image = engine.state.batch["image"]
        case = engine.state.batch["case_id"][0]
        found = engine.state.output["pred"]
        path = self.folder / f"{case}.safetensors"
        refuse_existing(path, overwrite=self.overwrite)
        affine = torch.as_tensor(image.meta["affine"]).reshape(-1, 4, 4)[0].double().cpu()
        tensors = {
            "embedding": found["embedding"][0],
            "features": found["features"][0],
            "affine": affine,
        }
        scales = [name.removeprefix("features_") for name in found if name.startswith("features_")]
        tensors |= {f"features_{scale}": found[f"features_{scale}"][0] for scale in scales}
        if self.save_map:
            stride = image.shape[2] // found["map"].shape[2]
            tensors |= {"map": found["map"][0], "map_affine": map_affine(affine, stride=stride)}
            for scale in scales:
                tensors[f"map_{scale}"] = found[f"map_{scale}"][0]
                tensors[f"map_affine_{scale}"] = map_affine(affine, stride=int(scale))
        tensors = {name: torch.as_tensor(tensor).detach().cpu().contiguous() for name, tensor in tensors.items()}
        writers: dict[Path, Write | bytes] = {path: safetensors.torch.save(tensors, metadata={"case_id": case})}
        if "text_map" in found:
            values = torch.as_tensor(found["text_map"][0, 0]).detach().float().cpu().numpy()
            stride = image.shape[2] // values.shape[0]
            nifti = nibabel.Nifti1Image(values, map_affine(affine, stride=stride).numpy())
            picture = text_picture(torch.as_tensor(image[0, 0]).cpu().numpy(), values, title=case, stride=stride)
            writers |= {
                self.folder / f"{case}_text.nii.gz": lambda file: file.write(_gzipped(nifti)),
                self.folder / f"{case}_text.png": lambda file: picture.savefig(file, format="png", dpi=110),
            }
        write_atomically(writers)
        self.count += 1

    def say(self, engine: Engine) -> None:
        """Log how many files there are."""
        logger.info("features of %d cases written to %s", self.count, self.folder)


def map_affine(affine: torch.Tensor, *, stride: int = STRIDE) -> torch.Tensor:
    """Affine (4, 4) of the token map from that of its volume: a token's centre lies amid its ``stride`` voxels."""
    coarse = torch.eye(4, dtype=affine.dtype)
    coarse[:3, :3] *= stride
    coarse[:3, 3] = (stride - 1) / 2
    return affine @ coarse


def _gzipped(image: nibabel.Nifti1Image) -> bytes:
    return gzip.compress(image.to_bytes(), mtime=0)
