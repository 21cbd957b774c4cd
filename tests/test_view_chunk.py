"""Views encoded a few volumes at a time: the same step, in a memory that the batch does not change."""

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from t3d.networks.pretrain import VERSION_0_1, PretrainNetwork

SIZES = {"feature_size": 12, "window_size": 2, "depths": (1, 1, 1, 1), "text_width": 8, "embedding_width": 6}
# recipe: settings of the network, views of a volume, corrupted ones among them
RECIPES = {
    "default": ({}, 2, 1),
    "twin of three pairs": ({"use_text": False}, 6, 3),
    "contrast alone": ({"use_restoration": False}, 2, 1),
    "restoration alone": ({"use_contrast": False}, 2, 1),
    "own reports": ({"candidates": "own_report"}, 2, 1),
    "everyone reads the report": ({"candidates": "shared_report"}, 2, 1),
    "paper": (VERSION_0_1, 2, 2),
    "alignment": ({"use_alignment": True}, 2, 1),
}


def build(view_chunk, **settings):
    torch.manual_seed(0)
    return PretrainNetwork(**SIZES, **settings, view_chunk=view_chunk)


def batch(volumes, views, corrupted, *, use_text=True, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(volumes, views, 1, 32, 32, 32, generator=generator, dtype=dtype)
    report = {}
    if use_text:
        report["report"] = torch.randn(volumes, 3, 8, generator=generator, dtype=dtype)
        report["report_mask"] = torch.tensor([[True, True, False]]).expand(volumes, -1)
    return {"image": image, "corrupted": 1 - image[:, :corrupted], **report}


def step(network, inputs):
    output = network(**inputs)
    loss = sum((value * value.detach().cos()).sum() for value in output.values() if value.requires_grad)
    loss.backward()
    return output, {name: one.grad for name, one in network.named_parameters() if one.grad is not None}


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_step_in_chunks_is_the_step_at_once(recipe):
    settings, views, corrupted = RECIPES[recipe]
    inputs = batch(3, views, corrupted, use_text=settings.get("use_text", True))
    at_once, wanted = step(build(2**20, **settings).double(), inputs)
    # two volumes at a time, or one where a volume has more crops than that
    chunked, found = step(build(4, **settings).double(), inputs)
    assert chunked.keys() == at_once.keys() and found.keys() == wanted.keys() and len(found) > 40
    for name, value in at_once.items():
        assert (chunked[name] - value).abs().max() <= 1e-12, name
    for name, gradient in wanted.items():
        assert (found[name] - gradient).abs().max() <= 1e-10 * max(1.0, float(gradient.abs().max())), name


@pytest.mark.parametrize(
    ("view_chunk", "settings", "views", "corrupted", "sizes"),
    [
        (4, {}, 2, 1, [4, 4, 2]),
        (1, {}, 2, 1, [2] * 5),  # never less than a volume
        (64, {}, 2, 1, [10]),
        (4, {"use_contrast": False}, 2, 1, [4, 1]),  # clean views are not looked at
        (8, VERSION_0_1, 2, 2, [8, 8, 4]),
    ],
)
def test_no_more_crops_than_asked_are_encoded_at_once(view_chunk, settings, views, corrupted, sizes):
    network, seen = build(view_chunk, **settings), []
    network.vision.register_forward_hook(lambda module, args, output: seen.append(len(args[0])))
    with torch.no_grad():
        network(**batch(5, views, corrupted, dtype=torch.float32))
    assert seen == sizes


def kept_bytes(network, volumes):
    """What autograd holds between the forward and the backward pass, without parameters and crops."""
    held, inputs = {}, batch(volumes, 2, 1, dtype=torch.float32)

    def keep(tensor):
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        network(**inputs)
    there = {one.untyped_storage().data_ptr() for one in (*inputs.values(), *network.parameters())}
    return sum(size for place, size in held.items() if place not in there)


def test_a_further_volume_leaves_its_tokens_alone():
    of_a_volume = (kept_bytes(build(2**20), 8) - kept_bytes(build(2**20), 4)) / 4
    left = (kept_bytes(build(4), 8) - kept_bytes(build(4), 4)) / 4
    assert left < of_a_volume / 50
