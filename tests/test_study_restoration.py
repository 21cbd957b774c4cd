"""Restoration of held-out crops: the same crops for all, and errors as a forward pass has them."""

import math

import pytest
import torch

from t3d.data.datalist import load_datalist
from t3d.networks.pretrain import PretrainNetwork
from t3d.study.restoration import errors_of
from t3d.study.restored_crops import RestoredCrops

CPU = torch.device("cpu")
PREPARATION = {"spacing": [8.0] * 3, "orientation": "RAS", "hu_range": [-1000, 1000]}
# lungs and what lies in them
REGIONS = {"organs": [3, 4], "lesions": [16, 17, 18, 19]}


@pytest.fixture(scope="module")
def drawn(cohort):
    items = load_datalist(cohort / "datalist.json", "training", need_report=False)
    crops_of = RestoredCrops(preparation=PREPARATION, regions=REGIONS, crop_size=32, crops=4, corruption=0.7)
    wanted = {item["findings"]["pleural_effusion"]: item for item in items}  # one with and one without
    return crops_of, wanted, {state: crops_of(item) for state, item in wanted.items()}


def test_crops_lie_around_lesions_and_organs_and_are_the_same_again(drawn):
    crops_of, wanted, found = drawn
    for crops in found.values():
        assert crops.clean.shape == crops.corrupted.shape == (1, 4, 1, 32, 32, 32)
        masks = crops.masks
        assert masks["organs"].any() and not (masks["organs"] & masks["lesions"]).any()
        touched = (crops.clean != crops.corrupted).float().mean()
        assert 0.4 < touched < 0.9 and 0.2 < masks["body"].float().mean() < 1
    # lungs are dark where they hold no lesion
    assert found[0].clean[found[0].masks["organs"]].mean() < found[0].clean[found[0].masks["body"]].mean() - 0.1
    assert found[1].masks["lesions"].any()
    again = crops_of(wanted[1])
    assert torch.equal(again.clean, found[1].clean) and torch.equal(again.corrupted, found[1].corrupted)


def network(**options):
    torch.manual_seed(0)
    settings = {"feature_size": 12, "window_size": 2, "text_width": 8, "embedding_width": 16} | options
    return PretrainNetwork(**settings).eval()


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_errors_are_those_of_a_forward_pass(drawn, norm):
    asked, crops = network(fusion_norm=norm), drawn[2][1]
    random = torch.Generator().manual_seed(1)
    reports = [(torch.randn(1, 5, 8, generator=random), torch.ones(1, 5, dtype=torch.bool)) for _ in range(2)]
    with torch.inference_mode():
        found = errors_of(asked, crops, reports, CPU)
        for suffix, (report, mask) in zip(("", "_wrong_report"), reports, strict=True):
            restored = asked(crops.clean, corrupted=crops.corrupted, report=report, report_mask=mask)["restored"]
            for name, inside in crops.masks.items():
                plain = (restored - crops.clean).abs()[inside].mean().item()
                assert found[f"error_in_{name}{suffix}"] == pytest.approx(plain, rel=1e-4)
        # nothing read: the attention adds nothing
        asked.fusion.attention.register_forward_hook(lambda module, given, out: (torch.zeros_like(out[0]), None))
        silent = errors_of(asked, crops, reports, CPU)
    for name in crops.masks:
        assert found[f"error_in_{name}_no_report"] == pytest.approx(silent[f"error_in_{name}"], rel=1e-5)
        assert found[f"error_in_{name}_no_report"] != pytest.approx(found[f"error_in_{name}"], rel=1e-5)
        gain = found[f"error_in_{name}_wrong_report"] - found[f"error_in_{name}"]
        assert found[f"text_gain_in_{name}"] == pytest.approx(gain)
        corrupted = (crops.corrupted - crops.clean).abs()[crops.masks[name]].mean().item()
        assert found[f"error_in_{name}_corrupted"] == pytest.approx(corrupted, rel=1e-5)


def test_a_network_without_text_has_one_error_and_an_absent_region_none(drawn):
    crops = drawn[2][0]._replace(masks={"lesions": torch.zeros_like(drawn[2][0].clean, dtype=torch.bool)})
    with torch.inference_mode():
        assert all(math.isnan(value) for value in errors_of(network(use_text=False), crops, [], CPU).values())
        found = errors_of(network(use_text=False), drawn[2][1], [], CPU)
    assert found["error_in_organs"] == found["error_in_organs_no_report"] == found["error_in_organs_wrong_report"]
    assert found["text_gain_in_organs"] == 0
