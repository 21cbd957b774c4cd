import logging

import numpy as np
import pytest

import t3d.data.sampling as sampling
from t3d.data.sampling import CohortBatchSampler, Draw
from t3d.errors import T3DError


def batches(sampler, epochs=1):
    found = []
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        found += list(sampler)
    return found


def test_draws_are_pinned():
    """Golden values: a change here silently changes every published run."""
    sampler = CohortBatchSampler(4, batch_size=2, seed=3, matched_position=1.0)
    first = batches(sampler)[0]
    rng = np.random.default_rng(np.random.SeedSequence(3, spawn_key=(0, 0)))
    assert [d.case for d in first] == rng.permutation(4)[:2].tolist()
    key = np.random.SeedSequence(3, spawn_key=(1, 0, 1))
    assert first[1].seed == key.generate_state(1)[0] == 3273300879
    assert first[0].matched == first[1].matched == pytest.approx((0.125370, 0.713371, 0.741181), abs=1e-6)


def test_each_pass_is_a_permutation_across_epoch_borders():
    sampler = CohortBatchSampler(10, batch_size=2, steps_per_epoch=3)
    cases = [d.case for batch in batches(sampler, epochs=5) for d in batch]
    assert len(cases) == 30
    passes = [cases[:10], cases[10:20], cases[20:]]
    assert all(sorted(p) == list(range(10)) for p in passes)
    assert passes[0] != passes[1]


def test_two_processes_see_what_one_sees():
    options = {"seed": 1, "steps_per_epoch": 7, "matched_position": 0.5}
    one = batches(CohortBatchSampler(13, batch_size=4, **options), epochs=2)
    ranks = [
        batches(CohortBatchSampler(13, batch_size=2, rank=r, world_size=2, **options), epochs=2) for r in range(2)
    ]
    assert one == [a + b for a, b in zip(*ranks, strict=True)]


def test_resuming_at_an_epoch_changes_nothing():
    def make():
        return CohortBatchSampler(9, batch_size=2, seed=5, steps_per_epoch=3, matched_position=0.5)

    whole = batches(make(), epochs=4)
    resumed = make()
    resumed.set_epoch(3)
    assert list(resumed) == whole[9:]


def test_process_is_asked_for_when_iterating(monkeypatch):
    sampler = CohortBatchSampler(8, batch_size=2)
    assert len(sampler) == 4
    monkeypatch.setattr(sampling.dist, "is_initialized", lambda: True)
    monkeypatch.setattr(sampling.dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(sampling.dist, "get_rank", lambda: 1)
    assert len(sampler) == 2
    assert list(sampler) == list(CohortBatchSampler(8, batch_size=2, rank=1, world_size=2))


def test_seeds_differ_between_places_steps_and_runs():
    seeds = {
        d.seed
        for run in (0, 1)
        for batch in batches(CohortBatchSampler(8, batch_size=4, seed=run), epochs=5)
        for d in batch
    }
    assert len(seeds) == 2 * 5 * 8


def test_matched_share_grows_with_the_epochs():
    sampler = CohortBatchSampler(4, batch_size=2, steps_per_epoch=400, matched_position=0.8, matched_ramp_epochs=4)
    for epoch, share in enumerate([0.2, 0.4, 0.6, 0.8, 0.8]):
        sampler.set_epoch(epoch)
        drawn = [batch[0].matched for batch in sampler]
        assert np.mean([m is not None for m in drawn]) == pytest.approx(share, abs=0.08)
        places = np.array([m for m in drawn if m is not None])
        assert places.min() >= 0 and places.max() <= 1 and len(np.unique(places)) == places.size


def test_a_batch_shares_its_place():
    for batch in CohortBatchSampler(40, batch_size=4, matched_position=0.5):
        assert len({d.matched for d in batch}) == 1


def test_fixed_repeats_for_evaluation():
    options = {"batch_size": 2, "fixed": True, "repeats": 3}
    sampler = CohortBatchSampler(5, shuffle=False, **options)
    assert len(sampler) == 6
    first, again = batches(sampler), batches(sampler, epochs=3)[12:]
    assert first == again
    assert [[d.case for d in batch] for batch in first] == [[0, 1], [2, 3]] * 3
    assert len({d.seed for batch in first for d in batch}) == 12
    mixed = [[d.case for d in batch] for batch in CohortBatchSampler(40, **options)]
    assert mixed[:20] != mixed[20:40]


def test_left_out_cases_are_said_once(caplog):
    sampler = CohortBatchSampler(7, batch_size=4, shuffle=False, fixed=True)
    with caplog.at_level(logging.INFO):
        batches(sampler, epochs=2)
    assert [r.getMessage().startswith("3 of 7 cases do not fill a batch of 4") for r in caplog.records] == [True]


def test_last_batch_kept_on_request_unless_no_contrast_is_left():
    def cases(n, **options):
        sampler = CohortBatchSampler(n, batch_size=4, shuffle=False, drop_last=False, **options)
        drawn = [[d.case for d in batch] for batch in sampler]
        assert len(drawn) == len(sampler)
        return drawn

    assert cases(6) == [[0, 1, 2, 3], [4, 5]]
    assert cases(5) == [[0, 1, 2, 3]]
    assert cases(5, contrast=False) == [[0, 1, 2, 3], [4]]
    assert cases(3) == [[0, 1, 2]]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_cases": 3, "batch_size": 4}, "3 cases, fewer than one global batch of 4"),
        ({"num_cases": 6, "batch_size": 4, "world_size": 2, "rank": 0}, "6 cases.* 8 .4 x 2 processes"),
        ({"num_cases": 8, "batch_size": 1}, "batch_size is 1 with 1 process.*set batch_size to 2"),
        ({"num_cases": 8, "batch_size": 2, "world_size": 2, "drop_last": False}, "drop_last"),
        ({"num_cases": 8, "batch_size": 0}, "batch_size is 0"),
        ({"num_cases": 8, "batch_size": 2, "matched_position": 1.5}, "matched_position is 1.5"),
        ({"num_cases": 8, "batch_size": 2, "seed": -1}, "seed is -1"),
        ({"num_cases": 8, "batch_size": 2, "repeats": 0}, "repeats is 0"),
    ],
)
def test_impossible_settings_are_refused(options, words):
    with pytest.raises(T3DError, match=words):
        list(CohortBatchSampler(**options))


def test_one_case_per_process_is_enough_for_two_processes():
    options = {"batch_size": 1, "shuffle": False}
    assert [d.case for (d,) in CohortBatchSampler(4, rank=1, world_size=2, **options)] == [1, 3]
    assert len(list(CohortBatchSampler(4, contrast=False, **options))) == 4


def test_draw_is_a_plain_tuple():
    assert Draw(1, 2) == (1, 2, None)


@pytest.mark.parametrize(("cases", "words"), [(1, "1 case"), (0, "0 cases")])
def test_too_few_cases_for_the_gauges_are_said_before_training(cases, words):
    """Also with the batch of one that a list of one case makes; the sampler is made, not yet asked."""
    message = f"the validation list has {words}, the gauges need at least 2: add cases to it."
    with pytest.raises(T3DError, match=f"^{message}$"):
        CohortBatchSampler(cases, batch_size=1, fixed=True)
    assert len(CohortBatchSampler(1, batch_size=1, fixed=True, contrast=False)) == 1
