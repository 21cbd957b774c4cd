"""Jittered views: each on its own, keyed by the seed, nothing changed in place."""

import pytest
import torch
from monai.data import MetaTensor
from plain_state import state

from t3d.errors import T3DError
from t3d.transforms.jitter import RandJitterViewsd, jitter_steps

OFF = {"scale": 0.0, "shift": 0.0, "gamma": 0.0, "noise": 0.0, "blur": 0.0}


def views():
    return torch.rand(2, 1, 16, 16, 16, generator=torch.Generator().manual_seed(1)) * 0.6 + 0.2


def jittered(seed=3, **options):
    return RandJitterViewsd(**options).set_random_state(seed)({"image": views()})["image"]


def test_without_any_strength_the_views_stay():
    assert torch.equal(jittered(**OFF), views())


def test_the_seed_decides_and_the_given_tensor_is_not_changed():
    given = views()
    item = {"image": given}
    found = RandJitterViewsd().set_random_state(3)(item)["image"]
    assert torch.equal(found, jittered())
    assert not torch.equal(found, jittered(seed=4))
    assert torch.equal(given, views()) and item["image"] is given


def test_one_transform_gives_the_same_again_after_the_same_seed():
    transform = RandJitterViewsd()
    first = transform.set_random_state(3)({"image": views()})["image"]
    transform({"image": views()})
    assert torch.equal(transform.set_random_state(3)({"image": views()})["image"], first)


def test_views_are_jittered_independently():
    same = views()[:1].repeat(2, 1, 1, 1, 1)
    first, second = RandJitterViewsd().set_random_state(3)({"image": same})["image"]
    assert (first - second).abs().mean() > 0.005


@pytest.mark.parametrize(
    ("name", "strength", "least", "most"), [("scale", 0.1, 0.9, 1.1), ("shift", 0.05, -0.05, 0.05)]
)
def test_strengths_are_limits(name, strength, least, most):
    factors = []
    for seed in range(40):
        found = jittered(seed=seed, **{**OFF, name: strength})
        change = found / views() if name == "scale" else found - views()
        assert change.flatten(1).std(dim=1).max() < 1e-5  # one number for the whole view
        factors += change.flatten(1).mean(dim=1).tolist()
    assert least - 1e-5 <= min(factors) < max(factors) <= most + 1e-5
    assert max(factors) - min(factors) > 0.8 * (most - least)


def test_gamma_below_zero_is_not_met():
    dark = {"image": torch.zeros(2, 1, 8, 8, 8)}
    assert RandJitterViewsd(shift=0.5, noise=0.0).set_random_state(0)(dark)["image"].isfinite().all()


@pytest.mark.parametrize("options", [{"scale": -0.1}, {"noise": -1}, {"blur_share": 1.5}])
def test_impossible_strengths_are_refused(options):
    with pytest.raises(T3DError, match=next(iter(options))):
        RandJitterViewsd(**options)


def test_one_option_gives_multiples_of_the_usual_strengths():
    assert jitter_steps(0) == [] and jitter_steps(0, soft=True) == []
    (usual,), (half,) = jitter_steps(1), jitter_steps(0.5)
    assert state(usual) == state(RandJitterViewsd())
    assert state(half) == state(RandJitterViewsd(scale=0.05, shift=0.025, gamma=0.15, noise=0.01, blur=0.5))
    with pytest.raises(T3DError, match="jitter is -0.1"):
        jitter_steps(-0.1)


def test_soft_jitter_changes_brightness_alone():
    (soft,) = jitter_steps(1, "windows", soft=True)
    for seed in range(20):
        found = soft.set_random_state(seed)({"windows": views()})["windows"]
        for before, after in zip(views().flatten(1).double(), found.flatten(1).double(), strict=True):
            factor = ((after - after.mean()) * (before - before.mean())).sum() / (
                before - before.mean()
            ).square().sum()
            shift = after.mean() - factor * before.mean()
            assert torch.allclose(after, factor * before + shift, atol=1e-6)  # no gamma, noise or blur
            assert 0.95 - 1e-5 <= factor <= 1.05 + 1e-5 and abs(shift) <= 0.02 + 1e-5


def test_jittered_views_are_plain_tensors():
    given = MetaTensor(views())
    assert type(RandJitterViewsd()({"image": given})["image"]) is torch.Tensor
