import copy

import pytest
import torch
from monai.networks.nets import SwinUNETR
from monai.networks.nets.swin_unetr import WindowAttention, compute_mask

import t3d.networks.window_attention
from t3d.networks.swin_encoder import swin_transformer
from t3d.networks.window_attention import FusedWindowAttention, fuse_attention

CROPS, SIDE, WIDTH, HEADS = 2, 6, 12, 3


@pytest.fixture
def any_window(monkeypatch):
    """Tiles for every size of window, several a call, the last one shorter."""
    monkeypatch.setattr(t3d.networks.window_attention, "LEAST_TOKENS", 1)
    monkeypatch.setattr(t3d.networks.window_attention, "TILE_BYTES", 3 * 4 * HEADS * (SIDE // 2) ** 6)


def one_call(self, x, mask):
    """What an accelerator runs."""
    qkv = self.qkv(x).unflatten(2, (3, self.num_heads, -1))
    return self.proj(self._fused(qkv, mask).flatten(2))


def pair(dtype, *, window=3):
    torch.manual_seed(0)
    theirs = WindowAttention(WIDTH, HEADS, (window,) * 3, qkv_bias=True).to(dtype)
    torch.nn.init.normal_(theirs.relative_position_bias_table)
    return theirs, fuse_attention(copy.deepcopy(theirs))


def pass_through(attention, x, mask, way):
    x = x.clone().requires_grad_()
    out = one_call(attention, x, mask) if way == "one call" else attention(x, mask)
    weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(2)).to(out.dtype)
    (out * weights).sum().backward()
    return {"out": out.detach(), "x": x.grad, **{name: p.grad for name, p in attention.named_parameters()}}


@pytest.mark.parametrize("way", ["tiles", "one call"])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("window", [3, 4])  # 4: windows of less than the table's size, as where a map is smaller
def test_outputs_and_gradients_are_monais(any_window, dtype, tolerance, masked, way, window):
    theirs, ours = pair(dtype, window=window)
    assert type(ours) is FusedWindowAttention and list(ours.state_dict()) == list(theirs.state_dict())
    mask = compute_mask([SIDE] * 3, (3,) * 3, (1,) * 3, "cpu").to(dtype) if masked else None
    x = torch.randn(CROPS * 8, 27, WIDTH, generator=torch.Generator().manual_seed(1)).to(dtype)
    expected, found = pass_through(theirs, x, mask, ""), pass_through(ours, x, mask, way)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        scale = max(1.0, value.abs().max().item())
        assert (found[name] - value).abs().max().item() <= tolerance * scale, name


def test_half_precision_stays_near_full(any_window):
    theirs, ours = pair(torch.float32)
    x = torch.randn(16, 27, WIDTH, generator=torch.Generator().manual_seed(1))
    mask = compute_mask([SIDE] * 3, (3,) * 3, (1,) * 3, "cpu")
    exact = theirs(x, mask)
    for way in (ours, lambda *given: one_call(ours, *given)):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = way(x, mask)
        out.float().sum().backward()
        assert out.dtype == torch.bfloat16 and (out.float() - exact).abs().max() < 0.02 * exact.abs().max()
    assert all(p.grad.isfinite().all() and p.grad.dtype == torch.float32 for p in ours.parameters())


@pytest.mark.parametrize("use_checkpoint", [False, True])
def test_a_transformer_trains_as_monais(use_checkpoint):
    settings = {"feature_size": 12, "window_size": 6, "use_checkpoint": use_checkpoint}
    torch.manual_seed(0)
    ours = swin_transformer(**settings).double()
    assert all(type(m) is not WindowAttention for m in ours.modules())
    torch.manual_seed(0)
    stock = SwinUNETR(in_channels=1, out_channels=2, **settings).swinViT.double()
    crop = torch.rand(1, 1, 32, 32, 32, dtype=torch.float64)
    weights = torch.randn(1, 192, 1, 1, 1, dtype=torch.float64)
    maps, expected = ours(crop), stock(crop)
    assert all(torch.allclose(one, other, rtol=0, atol=1e-11) for one, other in zip(maps, expected, strict=True))
    for deepest in (maps[-1], expected[-1]):
        (deepest * weights).sum().backward()
    for (name, one), other in zip(ours.named_parameters(), stock.parameters(), strict=True):
        assert torch.allclose(one.grad, other.grad, rtol=1e-9, atol=1e-11), name


def test_a_stock_network_is_fused_in_place_and_its_state_stays():
    network = SwinUNETR(in_channels=1, out_channels=2, feature_size=12, window_size=6).eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    crop = torch.rand(1, 1, 64, 64, 64)
    with torch.no_grad():
        expected = network(crop)
        assert fuse_attention(network) is network
        assert torch.allclose(network(crop), expected, atol=1e-4)
    after = network.state_dict()
    assert type(network) is SwinUNETR and list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert sum(type(module) is FusedWindowAttention for module in network.modules()) == 8
    SwinUNETR(in_channels=1, out_channels=2, feature_size=12, window_size=6).load_state_dict(after)


def test_no_matrix_of_token_pairs_is_kept():
    theirs, ours = pair(torch.float32, window=6)
    x = torch.randn(16, 216, WIDTH)
    pairs = 16 * HEADS * 216 * 216 * 4

    def kept(attention):
        storages = {}
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t: storages.update({t.untyped_storage()._cdata: t.untyped_storage().nbytes()}) or t, lambda t: t
        ):
            attention(x, None)
        return sum(storages.values())

    assert kept(theirs) > pairs > 4 * kept(ours)
