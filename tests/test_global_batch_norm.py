"""Batch norm over the global batch: torch's own on one process, the same on two; and the collapse it prevents."""

import os
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from t3d.errors import T3DError
from t3d.losses.contrast import TextInformedContrast
from t3d.losses.gather import world_size
from t3d.networks.global_batch_norm import GlobalBatchNorm
from t3d.networks.heads import ProjectionHead

WIDTH = 6


def rows(count=8):
    return torch.randn(count, 3, WIDTH, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3 + 1


def test_equals_torchs_batch_norm():
    ours = GlobalBatchNorm(WIDTH).double()
    torchs = nn.BatchNorm1d(WIDTH, affine=False).double()
    found, expected = rows().requires_grad_(), rows().requires_grad_()
    push = torch.randn(8, 3, WIDTH, dtype=torch.float64)
    for _ in range(3):
        one, other = ours(found), torchs(expected.flatten(0, 1)).unflatten(0, (8, 3))
        torch.testing.assert_close(one, other)
    (one * push).sum().backward()
    (other * push).sum().backward()
    torch.testing.assert_close(found.grad, expected.grad)
    torch.testing.assert_close(ours.mean, torchs.running_mean)
    torch.testing.assert_close(ours.variance, torchs.running_var)
    torch.testing.assert_close(ours.eval()(rows()), torchs.eval()(rows().flatten(0, 1)).unflatten(0, (8, 3)))


def test_one_row_alone_takes_what_is_remembered():
    norm = GlobalBatchNorm(WIDTH)
    norm(rows().float())
    before = norm.mean.clone()
    alone = norm(rows(1)[:, :1].float())
    assert alone.abs().max() > 0.1
    assert torch.equal(norm.mean, before)


def loss_of(norm, vectors):
    return (norm(vectors) ** 3).flatten(1).sum(dim=1).mean() * torch.ones(()).double()


def one_of_two(rank, folder):
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/store",
        rank=rank,
        world_size=2,
        timeout=timedelta(seconds=60),
    )
    assert world_size() == 2
    norm = GlobalBatchNorm(WIDTH).double()
    part = rows().chunk(2)[rank].clone().requires_grad_()
    loss_of(norm, part).backward()
    torch.save({"gradient": part.grad / 2, "mean": norm.mean, "variance": norm.variance}, folder / f"{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


def test_two_processes_equal_one(tmp_path):
    mp.spawn(one_of_two, (tmp_path,), nprocs=2)
    whole, norm = rows().requires_grad_(), GlobalBatchNorm(WIDTH).double()
    loss_of(norm, whole).backward()
    parts = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    torch.testing.assert_close(torch.cat([part["gradient"] for part in parts]), whole.grad)
    for part in parts:
        torch.testing.assert_close(part["mean"], norm.mean)
        torch.testing.assert_close(part["variance"], norm.variance)


def answered(norm):
    """The contrast's loss after some steps on vectors that share nearly all of their length."""
    torch.manual_seed(0)
    own = torch.randn(16, 1, 32) * 0.03
    heads = [ProjectionHead(32, 16, norm=norm) for _ in range(2)]
    contrast = TextInformedContrast(temperature=0.1)
    optimizer = torch.optim.AdamW([p for head in heads for p in head.parameters()], 1e-3)
    for _ in range(60):
        views = [1 + own + torch.randn_like(own) * 0.015 for _ in range(2)]
        loss = contrast(*(head(view) for head, view in zip(heads, views, strict=True)), None)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss.detach())


def test_vectors_that_are_nearly_alike_are_told_apart():
    assert answered("batch") < 1 < 1.5 < answered("none")


def test_an_unknown_norm_is_named():
    with pytest.raises(T3DError, match="head_norm 'layer'"):
        ProjectionHead(4, 4, norm="layer")
