import pytest
import torch
from torch import nn

from t3d.errors import T3DError
from t3d.export.compare import as_record, compare, must_be_small, sample_inputs
from t3d.export.parts import HEAD, MAIN, Part, parts_of

IMAGE = {"image": torch.zeros(2, 1, 8, 8, 8)}


def part(module=None, name=MAIN) -> Part:
    return Part(name, module or nn.Conv3d(1, 2, 1), IMAGE, ("pred",), {"image": {0: ("batch", 9)}})


def off_by(amount):
    one = part()
    found = compare(one, lambda image: {"pred": one.module(image) + amount})
    return found


def test_an_equal_network_passes_and_one_that_is_off_does_not():
    assert must_be_small(off_by(0.0), file="x.onnx").max_difference == 0
    assert must_be_small(off_by(5e-5), file="x.onnx").max_difference == pytest.approx(5e-5, rel=0.01)
    with pytest.raises(T3DError, match="x.onnx would not do what the trained network does: pred is off by 0.0002"):
        must_be_small(off_by(2e-4), file="x.onnx")
    with pytest.raises(T3DError, match="off by inf"):
        must_be_small(off_by(float("nan")), file="x.onnx")


def test_the_tolerance_grows_with_the_largest_value_only_above_one():
    large = part(nn.Conv3d(1, 2, 1))
    nn.init.constant_(large.module.weight, 100.0)
    found = compare(large, lambda image: {"pred": large.module(image) + 2e-3})
    assert must_be_small(found, file="x").largest_value > 40


def test_a_fault_on_one_kind_of_window_or_one_batch_is_found():
    one = part()

    def wrong_on_air(image):
        made = one.module(image).clone()
        made[image.flatten(1).amax(dim=1) == 0] += 1
        return {"pred": made}

    with pytest.raises(T3DError, match="window of air"):
        must_be_small(compare(one, wrong_on_air), file="x")
    fixed = one.module(torch.zeros(2, 1, 8, 8, 8))
    with pytest.raises(IndexError):  # an export that forgot that the batch is dynamic
        compare(one, lambda image: {"pred": fixed[: len(image)]})


def test_samples_show_everything_and_a_ct_where_there_is_one():
    shown = sample_inputs(part())
    assert [len(inputs["image"]) for _, inputs in shown] == [1, 2, 4]
    assert {name for names, _ in shown for name in names} == {"noise", "ball", "air"}
    ct = torch.full((2, 1, 8, 8, 8), 0.25)
    names = [name for names, _ in sample_inputs(part(), ct=ct) for name in names]
    assert {"CT window 0", "CT window 1"} < set(names)
    head = Part(HEAD, nn.Identity(), {"features": torch.zeros(1, 3, 5), "mask": torch.ones(1, 3)}, ("pred",), {})
    for batch, (_, inputs) in zip((1, 2, 4), sample_inputs(head), strict=True):
        assert inputs["features"].shape == (1, 3 * batch, 5) and inputs["mask"].sum() == 2 * batch


def test_the_record_keeps_the_largest_difference_of_each_output():
    (kept,) = as_record(off_by(3e-5))
    assert kept["output"] == "pred" and kept["max_difference"] == pytest.approx(3e-5, rel=0.01)


def test_an_unknown_network_is_refused():
    with pytest.raises(T3DError, match="a Conv3d cannot be exported"):
        parts_of(nn.Conv3d(1, 1, 1), crop_size=32)
