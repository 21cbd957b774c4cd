"""Ranks of right answers: recall at k, median rank, and what chance would give."""

from math import comb

import numpy as np
from scipy.special import gammaln

from t3d.metrics.intervals import bootstrap_mean, bootstrap_statistic


def first_right(similarity: np.ndarray, right: np.ndarray, ks: tuple[int, ...]) -> tuple[float, list[float]]:
    """Expected rank of the best right answer to one query, and the probability that it is among the first k.

    Equal similarities stand in no order, so the mean over all orders of them is taken: an embedding that is the same
    for everything scores at chance.

    Args:
        similarity: (M,) of the query to every candidate.
        right: (M,) bool, at least one True.
        ks: the k.
    """
    best = similarity[right].max()
    above = int((similarity > best).sum())
    level = similarity == best
    tied_right = int((level & right).sum())
    tied_wrong = int((level & ~right).sum())
    rank = above + (tied_right + tied_wrong + 1) / (tied_right + 1)
    return rank, [_found(tied_right, tied_wrong, k - above) for k in ks]


def _found(right: int, wrong: int, picks: int) -> float:
    """Probability that ``picks`` of ``right + wrong`` answers in random order hold a right one."""
    if picks <= 0:
        return 0.0
    if picks > wrong:
        return 1.0
    return 1 - comb(wrong, picks) / comb(right + wrong, picks)


def recall_and_rank(
    similarity: np.ndarray, right: np.ndarray, patients: np.ndarray, *, ks: tuple[int, ...] = (1, 5, 10)
) -> tuple[dict, np.ndarray]:
    """Retrieval of N queries among M candidates, with 95 % bootstrap intervals by the queries' patients.

    The candidates stay as they are in the resampling: the numbers hold for this gallery.

    Args:
        similarity: (N, M).
        right: (N, M) bool, at least one True per row.
        patients: (N,) of the queries.
        ks: where recall is taken.

    Returns:
        ``recall@k`` and ``median_rank``, each {value, interval, chance}, with ``queries`` and ``candidates``; and the
        (N,) expected rank of each query's best right answer. ``chance`` is the value for a random order.
    """
    found = [first_right(row, ok, ks) for row, ok in zip(similarity, right, strict=True)]
    ranks = np.array([rank for rank, _ in found])
    hits = np.array([hit for _, hit in found])
    chance = chance_recall(right.sum(axis=1), right.shape[1])
    result: dict = {"queries": len(similarity), "candidates": similarity.shape[1]}
    for column, k in enumerate(ks):
        value, interval = bootstrap_mean(hits[:, column], patients)
        result[f"recall@{k}"] = {
            "value": value,
            "interval": interval,
            "chance": float(chance[min(k, len(chance)) - 1]),
        }
    value, interval = bootstrap_statistic(np.median, (ranks,), patients)
    half = int(np.argmax(chance >= 0.5 - 1e-12)) + 1
    result["median_rank"] = {"value": value, "interval": interval, "chance": float(half)}
    return result, ranks


def chance_recall(counts: np.ndarray, candidates: int) -> np.ndarray:
    """Mean recall at k = 1 .. M of a random order, (M,), for queries with ``counts`` right answers each."""
    total = np.zeros(candidates)
    values, times = np.unique(counts, return_counts=True)
    for right, weight in zip(values, times, strict=True):
        ks = np.arange(1, candidates + 1)
        missed = np.zeros(candidates)
        possible = ks <= candidates - right
        wrong = candidates - int(right)
        # log of C(wrong, k) / C(candidates, k)
        missed[possible] = np.exp(
            gammaln(wrong + 1)
            - gammaln(wrong - ks[possible] + 1)
            - gammaln(candidates + 1)
            + gammaln(candidates - ks[possible] + 1)
        )
        total += weight * (1 - missed)
    return total / times.sum()
