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
    similarity: np.ndarray,
    right: np.ndarray,
    patients: np.ndarray,
    *,
    left_out: np.ndarray | None = None,
    ks: tuple[int, ...] = (1, 5, 10),
) -> tuple[dict, np.ndarray]:
    """Retrieval of N queries among M candidates, with 95 % bootstrap intervals by the queries' patients.

    The candidates stay as they are in the resampling: the numbers hold for this gallery.

    Args:
        similarity: (N, M).
        right: (N, M) bool, at least one True per row.
        patients: (N,) of the queries.
        left_out: (N, M) bool, candidates that are neither right nor wrong for a query, such as another study of its
            patient; None is none. What is right is never left out.
        ks: where recall is taken.

    Returns:
        ``recall@k`` and ``median_rank``, each {value, interval, chance}, with ``queries`` and ``candidates``; and the
        (N,) expected rank of each query's best right answer. ``chance`` is the value for a random order.
    """
    counted = np.ones_like(right) if left_out is None else right | ~left_out
    found = [first_right(row[those], ok[those], ks) for row, ok, those in zip(similarity, right, counted, strict=True)]
    ranks = np.array([rank for rank, _ in found])
    hits = np.array([hit for _, hit in found])
    chance = chance_recall(right.sum(axis=1), counted.sum(axis=1))
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


def chance_recall(counts: np.ndarray, candidates: np.ndarray | int) -> np.ndarray:
    """Mean recall at k = 1 .. M of a random order, (M,).

    Args:
        counts: (N,) right answers of each query.
        candidates: (N,) of each query, or one number for all; M is the largest.
    """
    pairs = np.stack(np.broadcast_arrays(counts, candidates))
    most = int(pairs[1].max())
    ks = np.arange(1, most + 1)
    total = np.zeros(most)
    values, times = np.unique(pairs, axis=1, return_counts=True)
    for (right, among), weight in zip(values.T.tolist(), times, strict=True):
        missed = np.zeros(most)
        wrong = among - right
        possible = ks <= wrong
        # log of C(wrong, k) / C(among, k)
        missed[possible] = np.exp(
            gammaln(wrong + 1)
            - gammaln(wrong - ks[possible] + 1)
            - gammaln(among + 1)
            + gammaln(among - ks[possible] + 1)
        )
        total += weight * (1 - missed)
    return total / times.sum()
