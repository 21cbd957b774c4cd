"""Windows encoded a few at a time: the same gradients, and nothing kept that grows with a window's insides."""

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from t3d.networks.chunked import in_chunks
from t3d.networks.pretrain import PretrainNetwork


def build(**options):
    torch.manual_seed(0)
    sizes = {"feature_size": 12, "window_size": 2, "depths": (1, 1, 1, 1), "text_width": 8, "embedding_width": 6}
    tasks = {"use_contrast": False, "use_restoration": False, "use_sentences": True}
    return PretrainNetwork(**sizes, **tasks, **options)


def at_once(encode, *inputs, chunk):
    return encode(*inputs)


def cut(count, *, volumes=2, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(volumes, count, 1, 32, 32, 32, generator=generator, dtype=dtype)


def step(network, windows):
    (volumes, count), dtype = windows.shape[:2], windows.dtype
    generator = torch.Generator().manual_seed(2)
    mask = torch.ones(volumes, count, dtype=torch.bool)
    mask[0, 1] = False
    said = torch.randn(volumes, 2, 8, generator=generator, dtype=dtype)
    drawn = torch.tensor([[0, 1]]).expand(volumes, -1)
    texts = {"said": said, "said_mask": torch.ones(volumes, 2, dtype=torch.bool), "drawn": drawn}
    return network(windows, windows=windows, window_mask=mask, **texts)


def gradients(network):
    output = step(network, cut(5, dtype=torch.float64))
    (output["volume"] * torch.linspace(-1, 1, 12, dtype=torch.float64).view(2, 6)).sum().backward()
    return {name: one.grad for name, one in network.named_parameters() if one.grad is not None}


def test_gradients_are_those_of_all_windows_at_once(monkeypatch):
    chunked = gradients(build(text_chunk=3).double())
    monkeypatch.setattr("t3d.networks.sentence_side.in_chunks", at_once)
    whole = gradients(build().double())
    assert chunked.keys() == whole.keys() and len(chunked) > 40
    for name, gradient in whole.items():
        assert (chunked[name] - gradient).abs().max() <= 1e-10 * max(1.0, float(gradient.abs().max())), name


def kept_bytes(network, count):
    """What autograd holds between the forward and the backward pass, without parameters and windows."""
    held, windows = {}, cut(count)

    def keep(tensor):
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        step(network, windows)
    there = {one.untyped_storage().data_ptr() for one in (windows, *network.parameters())}
    return sum(size for place, size in held.items() if place not in there)


def test_what_is_kept_grows_by_a_windows_statistics_alone(monkeypatch):
    network = build(text_chunk=4)
    more = kept_bytes(network, 32) - kept_bytes(network, 8)
    statistics = 2 * 24 * 3 * 96 * 4  # volumes, windows, kinds, channels, bytes
    assert more <= 6 * statistics  # a few stages of pooling
    monkeypatch.setattr("t3d.networks.sentence_side.in_chunks", at_once)
    assert kept_bytes(network, 8) > 20 * 6 * statistics  # the comparison can fail


def test_no_chunk_is_larger_than_asked():
    sizes = []

    def encode(part):
        sizes.append(len(part))
        return (part * 2,)

    windows = torch.arange(10.0, requires_grad=True)
    assert torch.equal(in_chunks(encode, windows, chunk=4)[0], windows * 2)
    with torch.no_grad():
        in_chunks(encode, windows, chunk=4)
    assert sizes == [4, 4, 2, 4, 4, 2]


def test_the_last_chunk_is_not_made_again_and_is_left_before_another_one_is():
    """Its insides and those of a chunk that is made again are never there together."""
    made, left = [], []

    def encode(part):
        made.append(len(part))
        inside = part * 2
        number = len(made)
        if inside.requires_grad:
            inside.register_hook(lambda _: left.append((number, len(made))))
        return (inside.square(),)

    windows = torch.arange(10.0, requires_grad=True)
    in_chunks(encode, windows, chunk=4)[0].sum().backward()
    assert torch.equal(windows.grad, 8 * torch.arange(10.0))
    assert made == [4, 4, 2, 4, 4]
    # the last chunk gets its gradients before any other is made again; then one after the other
    assert left == [(3, 3), (2, 4), (1, 5)]


@pytest.mark.parametrize("chunk", [10, 64])
def test_a_chunk_of_all_is_made_once(chunk):
    made = []

    def encode(part):
        made.append(len(part))
        return (part.square(),)

    windows = torch.arange(10.0, requires_grad=True)
    in_chunks(encode, windows, chunk=chunk)[0].sum().backward()
    assert made == [10] and torch.equal(windows.grad, 2 * torch.arange(10.0))


@pytest.mark.parametrize("name", ["text_chunk", "view_chunk"])
def test_a_chunk_of_none_is_refused(name):
    with pytest.raises(Exception, match=f"{name} 0"):
        build(**{name: 0})


def test_rows_that_belong_together_stay_together_and_what_is_not_there_is_handed_on():
    def encode(part, nothing, other):
        assert nothing is None
        return part + other, None

    one, other = torch.arange(6.0), 10 * torch.arange(6.0)
    both, none = in_chunks(encode, one, None, other, chunk=4)
    assert torch.equal(both, one + other) and none is None
