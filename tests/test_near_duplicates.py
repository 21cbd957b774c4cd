import time

import numpy as np

from t3d.check.near_duplicates import HASHES, SHINGLE, near_duplicates, signature


def words(seed, count=120):
    return [f"word{n}" for n in np.random.default_rng(seed).integers(0, 4000, count)]


def shingles(text):
    return {tuple(text[n : n + SHINGLE]) for n in range(len(text) - SHINGLE + 1)}


def test_shares_of_equal_entries_estimate_the_jaccard_similarity():
    errors = []
    for seed in range(20):
        one = words(seed)
        other = one[: 60 + 3 * seed] + words(100 + seed)[60 + 3 * seed :]
        truth = len(shingles(one) & shingles(other)) / len(shingles(one) | shingles(other))
        errors.append((signature(" ".join(one)) == signature(" ".join(other))).mean() - truth)
    assert abs(np.mean(errors)) < 0.04 and np.abs(errors).max() < 0.2


def test_changed_words_are_found_and_others_are_not():
    texts = [" ".join(words(seed)) for seed in range(200)]
    texts[150] = texts[20].replace(" ", "\n").upper() + " One more."
    texts[170] = texts[20]
    texts[180] = " ".join(words(30)[:60] + words(31)[60:])
    texts[190] = ""
    assert list(near_duplicates(np.array([signature(text) for text in texts]))) == [(150, 20), (170, 20)]


def test_few_words_and_none():
    assert not signature(" .,! ").any() and signature("Normal.").any()
    assert (signature("Normal.") == signature("normal")).all()
    assert list(near_duplicates(np.zeros((3, HASHES), np.uint32))) == []
    assert list(near_duplicates(np.array([signature("Normal."), signature("NORMAL")]))) == [(1, 0)]


def test_a_cohort_of_one_template_takes_time_that_grows_with_its_size():
    one = np.tile(signature("Clear lungs, no nodule, no effusion."), (20_000, 1))
    start = time.process_time()
    pairs = list(near_duplicates(one))
    assert pairs[0] == (1, 0) and len(pairs) == 19_999 and time.process_time() - start < 20
