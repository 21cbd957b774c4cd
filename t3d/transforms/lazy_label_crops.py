"""Crops of prepared cases around what the labels show, without reading a whole label."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.transforms import MapTransform, Randomizable
from monai.transforms.traits import MultiSampleTrait
from monai.transforms.utils import correct_crop_centers
from monai.utils import ensure_tuple_rep

from t3d.errors import T3DError
from t3d.volume.index import CaseIndex, read_index
from t3d.volume.listed import check_grid
from t3d.volume.store import StoredVolume, is_stored, open_stored


class LazyLabelCropsd(Randomizable, MapTransform, MultiSampleTrait):
    """Cuts crops from a prepared image and label, centred on voxels of chosen classes, as MONAI's crops by label do.

    The centres come from the index that ``t3d prepare`` made: a uniform sample of the voxels of each label value. With
    ``ratios`` None crops are centred on foreground ``foreground_ratio`` times as often as on background
    (RandCropByPosNegLabel with that as pos, and neg 1); otherwise classes are drawn by their ratios
    (RandCropByLabelClasses). A class that a case lacks is not drawn. Crops are moved back inside the volume; a volume
    smaller than the crop is padded on both sides.

    Args:
        crop_size: voxels per side, one number or three.
        class_values: for each class, background first, the values of it in the label files.
        num_samples: crops per case.
        ratios: one number per class, or None.
        foreground_ratio: where ``ratios`` is None.
        lesion_classes: numbers of the classes whose crops are centred on one of the lesions, each equally likely
            however small (ours), where ``t3d prepare --lesion_values`` indexed them; elsewhere on their voxels.
        spacing, orientation: of the configuration; must be those that the case was prepared for.
        pad_hu: HU that fills what a small volume lacks.
        image_key, label_key: keys holding paths of the store.

    Returns for each crop a copy of the item with ``image``, float32 HU (1, s, s, s), and ``label``, float32
    (1, s, s, s), with the values of the label file.

    Raises:
        T3DError: no label, not of the store, damaged, or prepared for another grid.
    """

    def __init__(
        self,
        *,
        crop_size: int | Sequence[int],
        class_values: Sequence[Sequence[int]],
        spacing: Sequence[float],
        orientation: str = "RAS",
        num_samples: int = 1,
        ratios: Sequence[float] | None = None,
        foreground_ratio: float = 1.0,
        lesion_classes: Sequence[int] = (),
        pad_hu: float = -1000.0,
        image_key: str = "image",
        label_key: str = "label",
    ) -> None:
        MapTransform.__init__(self, (image_key, label_key))
        if ratios is not None and len(ratios) != len(class_values):
            raise T3DError(
                f"{len(ratios)} ratios for {len(class_values)} classes; give one for each, background first"
            )
        self.crop_size = np.array(ensure_tuple_rep(crop_size, 3), dtype=np.int64)
        self.class_values, self.ratios, self.num_samples = class_values, ratios, num_samples
        self.foreground_ratio = foreground_ratio
        self.lesion_classes = frozenset(lesion_classes)
        self.spacing, self.orientation = spacing, orientation
        self.fill: dict[Hashable, float] = {image_key: pad_hu, label_key: class_values[0][0]}
        self.starts = np.zeros((0, 3), dtype=np.int64)

    # MONAI declares one argument, whatever it is
    def randomize(self, index: CaseIndex, size: Sequence[int]) -> None:  # type: ignore[override]
        """Draw the crops' first voxels; below 0 where a small volume is padded."""
        present = [[v for v in values if index.counts.get(v)] for values in self.class_values]
        if self.ratios is None:
            groups = [present[0], [v for values in present[1:] for v in values]]
            weights = np.array([1.0, self.foreground_ratio])
        else:
            groups, weights = present, np.asarray(self.ratios, dtype=float)
        weights = np.where([bool(values) for values in groups], weights, 0.0)
        if not weights.sum():  # only classes of ratio 0 are there
            weights = np.array([float(bool(values)) for values in groups])
        starts = []
        for group in self.R.choice(len(groups), size=self.num_samples, p=weights / weights.sum()):
            starts.append(self._start(self._centre(index, groups[group]), np.asarray(size)))
        self.starts = np.stack(starts)

    def __call__(self, data: Mapping[Hashable, Any]) -> list[dict[Hashable, Any]]:
        """One item per crop."""
        volumes = {key: self._open(data, key) for key in self.keys}
        sizes = {stored.shape for stored in volumes.values()}
        if len(sizes) != 1:
            raise T3DError(f"case {data.get('case_id', '?')}: image and label have the shapes {sorted(sizes)}")
        self.randomize(read_index(data[self.keys[0]]), sizes.pop())
        return [
            {**data, **{key: self._cut(stored, start, self.fill[key]) for key, stored in volumes.items()}}
            for start in self.starts
        ]

    def _open(self, data: Mapping[Hashable, Any], key: Hashable) -> StoredVolume:
        who = f"case {data.get('case_id', '?')}: {key}"
        if not is_stored(data.get(key)):
            raise T3DError(f"{who} is no file of the prepared store; use a datalist that `t3d prepare` wrote.")
        stored = open_stored(data[key])
        check_grid(who, stored.spacing, stored.orientation, self.spacing, self.orientation)
        return stored

    def _centre(self, index: CaseIndex, values: Sequence[int]) -> np.ndarray:
        counts = np.array([index.counts[value] for value in values], dtype=float)
        value = values[self.R.choice(len(values), p=counts / counts.sum())]
        rows = index.positions[value]
        wanted = any(value in self.class_values[number] for number in self.lesion_classes)
        if wanted and value in index.lesions:
            places, lesion = index.lesions[value]
            rows = places[lesion == self.R.randint(int(lesion.max()) + 1)]
        return rows[self.R.randint(len(rows))]

    def _start(self, centre: np.ndarray, size: np.ndarray) -> np.ndarray:
        before = np.maximum(self.crop_size - size, 0) // 2
        padded = np.maximum(size, self.crop_size)
        inside = correct_crop_centers((centre + before).tolist(), self.crop_size.tolist(), padded.tolist())
        return np.array(inside) - self.crop_size // 2 - before

    def _cut(self, stored: StoredVolume, start: np.ndarray, fill: float) -> torch.Tensor:
        low, high = np.maximum(start, 0), np.minimum(start + self.crop_size, stored.shape)
        crop = np.full(self.crop_size, fill, dtype=np.float32)
        place = tuple(slice(int(a), int(b)) for a, b in zip(low - start, high - start, strict=True))
        crop[place] = stored[tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))]
        return torch.from_numpy(crop)[None]
