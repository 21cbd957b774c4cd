"""Ranks and recall against plain loops over all orders, and chance against enumeration."""

import itertools

import numpy as np
import pytest

from t3d.evaluate.ranking import chance_recall, first_right, recall_and_rank


def by_enumeration(similarity, right, k):
    """Mean over all orders that agree with the similarities: rank of the first right answer, and found in k."""
    ranks = []
    for order in itertools.permutations(range(len(similarity))):
        if all(similarity[a] >= similarity[b] for a, b in itertools.pairwise(order)):
            ranks.append(1 + next(place for place, one in enumerate(order) if right[one]))
    return np.mean(ranks), np.mean([rank <= k for rank in ranks])


@pytest.mark.parametrize("seed", range(12))
def test_ties_are_counted_as_the_mean_over_all_orders(seed):
    random = np.random.default_rng(seed)
    similarity = random.integers(0, 3, 6).astype(float)
    right = np.zeros(6, dtype=bool)
    right[random.choice(6, 1 + seed % 3, replace=False)] = True
    rank, hits = first_right(similarity, right, (1, 2, 4))
    for k, hit in zip((1, 2, 4), hits, strict=True):
        expected_rank, expected_hit = by_enumeration(similarity, right, k)
        assert rank == pytest.approx(expected_rank)
        assert hit == pytest.approx(expected_hit)


def test_golden_values():
    similarity = np.array([[0.9, 0.1, 0.2, 0.3], [0.5, 0.4, 0.3, 0.2], [0.9, 0.8, 0.1, 0.7], [0.0, 0.1, 0.2, 0.9]])
    found, ranks = recall_and_rank(similarity, np.eye(4, dtype=bool), np.array(["a", "b", "c", "c"]), ks=(1, 2, 3))
    assert ranks.tolist() == [1, 2, 4, 1]
    assert [found[f"recall@{k}"]["value"] for k in (1, 2, 3)] == [0.5, 0.75, 0.75]
    assert [found[f"recall@{k}"]["chance"] for k in (1, 2, 3)] == pytest.approx([0.25, 0.5, 0.75])
    assert found["median_rank"]["value"] == 1.5 and found["median_rank"]["chance"] == 2
    low, high = found["recall@1"]["interval"]
    assert low < 0.5 < high
    assert found["queries"] == found["candidates"] == 4


def test_a_collapsed_embedding_scores_at_chance():
    right = np.eye(20, dtype=bool)
    right[3, 7] = right[7, 3] = True
    found, _ = recall_and_rank(np.ones((20, 20)), right, np.arange(20))
    for k in (1, 5, 10):
        assert found[f"recall@{k}"]["value"] == pytest.approx(found[f"recall@{k}"]["chance"])


def test_several_right_answers_need_only_one_of_them():
    similarity = np.array([[0.1, 0.9, 0.5], [0.2, 0.1, 0.0]])
    right = np.array([[True, True, False], [False, False, True]])
    found, ranks = recall_and_rank(similarity, right, np.array([0, 1]), ks=(1,))
    assert ranks.tolist() == [1, 3]
    assert found["recall@1"]["value"] == 0.5


def test_chance_is_that_of_all_orders():
    chance = chance_recall(np.array([1, 2, 5]), 5)
    for k in range(1, 6):
        expected = []
        for count in (1, 2, 5):
            orders = list(itertools.permutations(range(5)))
            expected.append(np.mean([min(order.index(one) for one in range(count)) < k for order in orders]))
        assert chance[k - 1] == pytest.approx(np.mean(expected))


def test_random_similarities_are_near_chance():
    random = np.random.default_rng(0)
    found, _ = recall_and_rank(random.normal(size=(300, 300)), np.eye(300, dtype=bool), np.arange(300))
    low, high = found["recall@10"]["interval"]
    assert low <= found["recall@10"]["chance"] <= high
    assert found["median_rank"]["chance"] == 150


@pytest.mark.parametrize("seed", range(6))
def test_what_is_left_out_is_as_if_it_were_not_there(seed):
    random = np.random.default_rng(seed)
    similarity = random.integers(0, 4, (5, 7)).astype(float)
    right = np.eye(5, 7, dtype=bool)
    left = (random.random((5, 7)) < 0.4) & ~right
    found, ranks = recall_and_rank(similarity, right, np.arange(5), left_out=left, ks=(1, 2))
    alone = [
        recall_and_rank(similarity[i : i + 1, ~left[i]], right[i : i + 1, ~left[i]], np.zeros(1), ks=(1, 2))
        for i in range(5)
    ]
    assert ranks.tolist() == [one[1][0] for one in alone]
    for k in ("recall@1", "recall@2"):
        for part in ("value", "chance"):
            assert found[k][part] == pytest.approx(np.mean([one[0][k][part] for one in alone]))
