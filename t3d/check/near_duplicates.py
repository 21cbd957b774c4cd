"""Texts that are nearly the same, found among many with little memory: MinHash of word shingles (Broder 1997)."""

import re
import zlib
from collections.abc import Iterator

import numpy as np

HASHES, ROWS = 64, 8  # 8 bands of 8 rows: pairs with a Jaccard similarity above 0.9 are found with 99 %
SHINGLE = 4  # words
SIMILAR = 0.9
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_random = np.random.default_rng(20)
_FACTORS = (_random.integers(1, 2**63, HASHES, dtype=np.uint64) | np.uint64(1))[:, None]
_OFFSETS = _random.integers(0, 2**63, HASHES, dtype=np.uint64)[:, None]


def signature(text: str) -> np.ndarray:
    """(HASHES,) uint32 whose share of equal entries estimates the Jaccard similarity of two texts' shingles.

    Case, punctuation and white space do not count. A text without words has the signature 0.
    """
    words = [zlib.crc32(word.encode()) for word in re.findall(r"\w+", text.lower())]
    if not words:
        return np.zeros(HASHES, np.uint32)
    values = np.array(words, dtype=np.uint64)
    width = min(SHINGLE, values.size)
    mixed = np.zeros(values.size - width + 1, np.uint64)
    for place in range(width):  # wraps around, as meant
        mixed = (mixed ^ values[place : place + mixed.size]) * _PRIME
        mixed ^= mixed >> np.uint64(29)
    return ((mixed[None] * _FACTORS + _OFFSETS) >> np.uint64(32)).min(axis=1).astype(np.uint32)


def near_duplicates(signatures: np.ndarray) -> Iterator[tuple[int, int]]:
    """Pairs (row, earlier row) of similar texts; each row at most once, with the first one it resembles.

    Only the first text of a group is compared with its others, so time and memory grow with the number of texts and
    not with that of the pairs.

    Args:
        signatures: (N, HASHES); rows of 0 are left out.
    """
    rows = np.flatnonzero(signatures.any(axis=1))
    if rows.size < 2:
        return
    partner = np.full(len(signatures), -1, np.int64)
    for band in range(0, HASHES, ROWS):
        keys = np.ascontiguousarray(signatures[rows, band : band + ROWS]).view(f"V{4 * ROWS}").ravel()
        _, first, group = np.unique(keys, return_index=True, return_inverse=True)
        heads = rows[first[group.ravel()]]
        for row, head in zip(rows[rows != heads], heads[rows != heads], strict=True):
            close = (signatures[row] == signatures[head]).mean() >= SIMILAR
            if close and (partner[row] < 0 or head < partner[row]):
                partner[row] = head
    for row in np.flatnonzero(partner >= 0):
        yield int(row), int(partner[row])
