"""The values of a label file: whole numbers from 0, in the smallest type that holds them."""

from collections.abc import Iterator

import numpy as np

from t3d.errors import T3DError
from t3d.prepare.source import VolumeSource
from t3d.volume.label_table import LARGEST_VALUE
from t3d.volume.whole_numbers import whole_numbers


def label_type(source: VolumeSource) -> type:
    """np.uint8 or np.uint16; reads the file once unless its header already tells.

    Raises:
        T3DError: values between whole numbers, negative ones or ones beyond the largest label.
    """
    if source.header["dtype"] == "uint8" and source.header["slope"] == 1 and source.header["intercept"] == 0:
        return np.uint8
    largest = max(int(block.max()) for _, block in label_blocks(source))
    return np.uint8 if largest < 256 else np.uint16


def label_blocks(source: VolumeSource) -> Iterator[tuple[int, np.ndarray]]:
    """The blocks of a label file as uint16 (or uint8, where the file is), checked."""
    for start, block in source.blocks():
        if block.dtype != np.uint8:
            found = whole_numbers(block)
            if found is None:
                raise T3DError(
                    f"{source.who} has values that are no whole numbers; export it as a label map, not resampled."
                )
            low, high = found.min(), found.max()
            if low < 0 or high > LARGEST_VALUE:
                raise T3DError(
                    f"{source.who} has values from {low:g} to {high:g}; a label map holds whole numbers from 0 to "
                    f"{LARGEST_VALUE}."
                )
            block = found.astype(np.uint16)
        yield start, block
