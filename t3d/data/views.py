"""The random half of the data path: from a prepared case and a draw to the views of a batch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from monai.data import DataLoader, list_data_collate
from monai.transforms import Compose
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset, Sampler

from t3d.data.name_numbers import name_numbers
from t3d.data.sampling import Draw
from t3d.data.wordings import with_one_wording

MATCHED_KEY = "matched_position"
# What fills the tokens and sentences that a shorter report of the batch lacks; the mask hides them.
_FILL = {
    "report": 0,
    "report_mask": False,
    "report_sentence": -1,
    "said": 0,
    "said_mask": False,
    "said_weight": 0,
    "opposite": 0,
    "said_kind": 0,
}


class ViewDataset(Dataset):
    """Applies the random transforms to prepared cases, each draw with its own seed.

    The result depends only on the draw: not on the worker, the process or what was drawn before.

    Args:
        data: MONAI `Dataset`, `CacheDataset` or `PersistentDataset` (or a list) whose item `i` is the dict of
            case i after the deterministic transforms.
        transform: a MONAI `Compose` of the random transforms, which give one item or, like MONAI's crops by label,
            several. They must not change the item's tensors in place: with a CacheDataset these are the cache itself.
    """

    def __init__(self, data: Sequence[Mapping[str, Any]], transform: Callable) -> None:
        self.data = data
        # Compose alone hands its seed on to the transforms inside it.
        self.transform = transform if isinstance(transform, Compose) else Compose(transform)

    def __len__(self) -> int:
        """Number of cases."""
        return len(self.data)

    def __getitem__(self, draw: Draw) -> dict[str, Any] | list[dict[str, Any]]:
        """The item, or the several items, of `draw.case` after the random transforms seeded by `draw.seed`.

        Of a report in several wordings the seed chooses one. The transforms find the draw's relative place (three
        numbers or None) under `matched_position`.
        """
        item = with_one_wording({**self.data[draw.case], MATCHED_KEY: draw.matched}, draw.seed)
        self.transform.set_random_state(seed=draw.seed)
        views = self.transform(item)
        return [_without_place(view) for view in views] if isinstance(views, list) else _without_place(views)


def collate_views(batch: Sequence[Mapping[str, Any] | list[Mapping[str, Any]]]) -> dict[str, Any]:
    """MONAI's `list_data_collate`, with reports of different lengths padded at the end to the longest.

    `report` and `said` are filled with 0, their masks with False and `report_sentence` with -1. Lists of items
    (several crops of a case) follow one another. Where the items have `patient_id`, the batch also has `patient`, (B,)
    int64, equal for studies of one patient.
    """
    cases = [dict(item) for items in batch for item in (items if isinstance(items, list) else [items])]
    for key, fill in _FILL.items():
        if key not in cases[0]:
            continue
        padded = pad_sequence([torch.as_tensor(i[key]) for i in cases], batch_first=True, padding_value=fill)
        for item, row in zip(cases, padded, strict=True):
            item[key] = row
    joined = list_data_collate(cases)
    if all("patient_id" in case for case in cases):
        joined["patient"] = name_numbers([str(case["patient_id"]) for case in cases])
    return joined


def view_loader(
    dataset: Dataset, sampler: Sampler[list[Draw]], *, transform: Callable | None = None, num_workers: int = 0
) -> DataLoader:
    """MONAI DataLoader over the batches of a `CohortBatchSampler`.

    Args:
        dataset: a `ViewDataset`, or with `transform` what one is made of.
        sampler: gives the draws of each batch.
        transform: the random transforms.
        num_workers: processes that load.

    Workers persist between epochs; memory is pinned when CUDA is there. The loader has a random generator of
    its own: building MONAI's DataLoader without one resets torch's global generator, and every iteration
    draws from it, so a resumed run would differ from an undisturbed one.
    """
    return DataLoader(
        dataset if transform is None else ViewDataset(dataset, transform),  # type: ignore[arg-type]
        num_workers=num_workers,
        batch_sampler=sampler,
        collate_fn=collate_views,
        persistent_workers=num_workers > 0,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator().manual_seed(0),
    )


def _without_place(view: Mapping[str, Any]) -> dict[str, Any]:
    # None cannot be collated, and nobody needs the place once the crops are cut.
    return {key: value for key, value in view.items() if key != MATCHED_KEY}
