"""Window attention of a Swin transformer that keeps no matrix of token pairs for the backward pass."""

from typing import Any

import torch
import torch.nn.functional as F
from monai.networks.nets.swin_unetr import WindowAttention
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

TILE_BYTES = 4 * 2**20  # token pairs worked on at a time on a CPU, about what its cache holds
LEAST_TOKENS = 128  # on a CPU, windows of fewer tokens (4^3 = 64) are faster by MONAI's formula, and small anyway


class FusedWindowAttention(WindowAttention):
    """MONAI's ``WindowAttention`` with the same parameters, outputs and gradients, in a fraction of the memory.

    MONAI keeps the softmax of every window and head until the backward pass, in half precision twice. Here it is made
    again: by the fused kernels of ``scaled_dot_product_attention`` on an accelerator, where position bias and shift
    mask become one term that is broadcast over the crops; tile by tile on a CPU, whose fused kernel has no gradient
    for a bias. Exports, and small windows on a CPU, keep MONAI's formula.
    """

    relative_position_index: Tensor

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Attend inside windows.

        Args:
            x: (B * W, n, C), the W windows of a crop one after the other.
            mask: (W, n, n), 0 or -100 where two tokens are no neighbours, or None.

        Returns:
            (B * W, n, C).
        """
        n, width = x.shape[1:]
        dropped = self.training and self.attn_drop.p > 0
        plain_on_cpu = x.device.type == "cpu" and (dropped or n < LEAST_TOKENS)
        if plain_on_cpu or torch.compiler.is_exporting() or torch.jit.is_tracing():
            return super().forward(x, mask)
        qkv = self.qkv(x).unflatten(2, (3, self.num_heads, width // self.num_heads))
        if x.device.type == "cpu":
            read = _TiledAttention.apply(*qkv.transpose(1, 3).unbind(2), self._bias(n), mask, self.scale)
        else:
            read = self._fused(qkv, mask, dropout=self.attn_drop.p if dropped else 0.0)
        return self.proj_drop(self.proj(read.flatten(2)))

    def _bias(self, n: int) -> Tensor:
        """The bias (heads, n, n) of each pair of tokens, by where they lie to one another."""
        index = self.relative_position_index[:n, :n]
        return self.relative_position_bias_table[index.reshape(-1)].view(n, n, -1).permute(2, 0, 1)

    def _fused(self, qkv: Tensor, mask: Tensor | None, *, dropout: float = 0.0) -> Tensor:
        """Attention (B * W, n, heads, d) from (B * W, n, 3, heads, d) by one call."""
        bias = self._bias(qkv.shape[1])
        windows = 1
        if mask is not None:
            windows = mask.shape[0]
            bias = (bias + mask.unsqueeze(1)).flatten(0, 1)
        # (3, B, W * heads, n, d): crops alone are left in front, so that one bias serves them all
        q, k, v = qkv.unflatten(0, (-1, windows)).permute(3, 0, 1, 4, 2, 5).flatten(2, 3).unbind(0)
        read = F.scaled_dot_product_attention(
            q, k, v, attn_mask=bias.unsqueeze(0).to(q.dtype), dropout_p=dropout, scale=self.scale
        )
        return read.unflatten(1, (windows, -1)).transpose(2, 3).flatten(0, 1)


class _TiledAttention(torch.autograd.Function):
    """softmax(scale q k' + bias + mask) v of q, k, v (B * W, heads, n, d) -> (B * W, n, heads, d), in tiles."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, bias: Tensor, mask: Tensor | None, scale: float) -> Tensor:
        ctx.save_for_backward(q, k, v, bias, mask)
        ctx.scale = scale
        read = q.new_empty((q.shape[0], q.shape[2], q.shape[1], q.shape[3]))
        for tile in _tiles(q):
            pairs = _pairs(bias, mask, tile).to(q.dtype)
            found = F.scaled_dot_product_attention(q[tile], k[tile], v[tile], attn_mask=pairs, scale=scale)
            read[tile] = found.transpose(1, 2)
        return read

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple:
        q, k, v, bias, mask = ctx.saved_tensors
        grads = torch.empty((q.shape[0], q.shape[2], 3, q.shape[1], q.shape[3]), dtype=q.dtype, device=q.device)
        grad_q, grad_k, grad_v = grads.transpose(1, 3).unbind(2)
        grad_bias = torch.zeros_like(bias)
        for tile in _tiles(q):
            share = (q[tile] @ k[tile].transpose(2, 3)).to(bias.dtype).mul_(ctx.scale)
            share = share.add_(_pairs(bias, mask, tile)).softmax(dim=-1)
            out = grad[tile].transpose(1, 2)
            grad_v[tile] = share.to(q.dtype).transpose(2, 3) @ out
            # of the softmax: p (g - sum p g)
            change = (out @ v[tile].transpose(2, 3)).to(bias.dtype)
            change = change.mul_(share).sub_(share.mul_(change.sum(dim=-1, keepdim=True)))
            grad_bias += change.sum(dim=0)
            change = change.mul_(ctx.scale).to(q.dtype)
            grad_q[tile] = change @ k[tile]
            grad_k[tile] = change.transpose(2, 3) @ q[tile]
        return grad_q, grad_k, grad_v, grad_bias, None, None


def fuse_attention(network: nn.Module) -> nn.Module:
    """Give every ``WindowAttention`` of a network, MONAI's ``SwinUNETR`` too, the forward pass above, in place.

    Parameters, buffers, their names and the hooks of the modules stay as they are.
    """
    for module in network.modules():
        if type(module) is WindowAttention:
            module.__class__ = FusedWindowAttention
    return network


def _tiles(q: Tensor) -> list[slice]:
    windows, heads, n = q.shape[:3]
    step = max(1, TILE_BYTES // (4 * heads * n * n))
    return [slice(start, min(start + step, windows)) for start in range(0, windows, step)]


def _pairs(bias: Tensor, mask: Tensor | None, tile: slice) -> Tensor:
    """Bias and mask (windows or 1, heads, n, n) of a tile's windows."""
    if mask is None:
        return bias.unsqueeze(0)
    windows = torch.arange(tile.start, tile.stop, device=mask.device) % mask.shape[0]
    return bias + mask[windows].unsqueeze(1)
