"""The classifier's layer on features that the batch standardises: torch's own norm, on one process and on two."""

import json
import math
import os
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from bundle_runs import assert_same_weights, same_after_a_kill, weights
from classification_runs import command, run
from torch import nn

from t3d.errors import T3DError, plain_message
from t3d.networks.token_pooling import TokenHead
from t3d.networks.volume_classifier import VolumeClassifier
from t3d.train.fine_tuning import parameter_groups
from t3d.train.fit_head import FitHead, head_rates
from t3d.train.same_recipe import go_on_with

WIDTH, FINDINGS = 6, 2
NAMES = ("train", "demo")
SCRATCH = {"pooling": "tokens", "batch_size": 4, "max_epochs": 2, "steps_per_epoch": 2}


def rows(count=8, seed=0):
    return torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 3 + 1


def head(*, by_batch=True):
    torch.manual_seed(0)
    module = TokenHead(WIDTH, FINDINGS).double().train()
    module.by_batch = by_batch
    nn.init.normal_(module.linear.weight)
    return module


def test_equals_torchs_batch_norm_over_the_root_of_the_width():
    ours, norm = head(), nn.BatchNorm1d(WIDTH, affine=False).double()
    for seed in range(3):
        found, expected = (rows(seed=seed).requires_grad_() for _ in range(2))
        one, other = ours(found), ours.linear(norm(expected) / math.sqrt(WIDTH))
        torch.testing.assert_close(one, other)
        one.square().sum().backward()
        other.square().sum().backward()
        torch.testing.assert_close(found.grad, expected.grad)
    torch.testing.assert_close(ours.mean, norm.running_mean)
    # torch starts from a variance of 1 and adds its epsilon when it divides, ours is in what is kept
    torch.testing.assert_close(ours.deviation, (norm.running_var + 1e-5).sqrt(), atol=1e-5, rtol=0)
    expected = ours.linear(norm.eval()(rows()) / math.sqrt(WIDTH))
    torch.testing.assert_close(ours.eval()(rows()), expected, atol=1e-5, rtol=0)


def test_few_rows_are_standardised_as_in_evaluation_and_change_nothing():
    module = head()
    module.measure(rows())
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    few = rows(3, seed=1)
    torch.testing.assert_close(module(few), module.linear(module.standardised(few)))
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())


def test_measured_statistics_stay():
    module = head(by_batch=False)
    module.measure(rows())
    before = module.mean.clone()
    module(rows(seed=1))
    assert torch.equal(module.mean, before)


def test_a_trained_model_is_the_same_with_either():
    trained, other = head(), head(by_batch=False)
    trained(rows())
    other.load_state_dict(trained.state_dict())
    assert torch.equal(trained.eval()(rows(seed=2)), other.eval()(rows(seed=2)))


def test_unknown_statistics_are_named():
    with pytest.raises(T3DError, match="head_statistics 'running' is unknown; choose one of measured, batch"):
        FitHead(network=head(), statistics="running")


def test_the_layer_learns_faster_where_batches_standardise():
    network = VolumeClassifier(num_findings=1, feature_size=12, window_size=2, crop_size=32, pooling="tokens")
    rates = head_rates(network, statistics="batch")
    groups = parameter_groups(network, learning_rate=0.1, layer_decay=1.0, weight_decay=0.0, rates=rates)
    rate = pytest.approx(0.1 * network.feature_width**0.5)
    fast = {id(parameter) for group in groups if group["lr"] == rate for parameter in group["params"]}
    assert fast == {id(network.tokens.linear.weight), id(network.tokens.linear.bias)}
    assert head_rates(network, statistics="measured") == {}
    attentive = VolumeClassifier(num_findings=1, feature_size=12, window_size=2, crop_size=32)
    assert head_rates(attentive, statistics="batch") == {}


def loss_of(module, vectors):
    return (module(vectors) ** 3).sum(dim=1).mean()


def one_of_two(rank, folder):
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    store = f"file://{folder}/store"
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=2, timeout=timedelta(seconds=60))
    module = head()
    part = rows().chunk(2)[rank].clone().requires_grad_()
    loss_of(module, part).backward()
    torch.save({"gradient": part.grad / 2, "mean": module.mean, "deviation": module.deviation}, folder / f"{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


def test_two_processes_equal_one(tmp_path):
    mp.spawn(one_of_two, (tmp_path,), nprocs=2)
    whole, module = rows().requires_grad_(), head()
    loss_of(module, whole).backward()
    parts = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    torch.testing.assert_close(torch.cat([part["gradient"] for part in parts]), whole.grad)
    for part in parts:
        torch.testing.assert_close(part["mean"], module.mean)
        torch.testing.assert_close(part["deviation"], module.deviation)


def test_from_scratch_the_batch_standardises_and_a_killed_run_goes_on(cohort, tmp_path):
    line = command(NAMES, cohort, tmp_path / "broken", **SCRATCH, num_workers=0)
    whole, broken = same_after_a_kill(lambda folder: run(NAMES, cohort, folder, **SCRATCH), line, tmp_path)
    assert_same_weights(weights(whole, "model_last.pt"), weights(broken, "model_last.pt"))
    recipe = json.loads((whole / "models" / "model.json").read_text())["recipe"]
    assert recipe["head_statistics"] == "batch" and not recipe["fit_head"]
    # a start from the same weights that the batch does not standardise ends elsewhere
    run(NAMES, cohort, tmp_path / "measured", **SCRATCH, head_statistics="measured")
    one, other = weights(whole, "model_last.pt"), weights(tmp_path / "measured", "model_last.pt")
    assert not torch.allclose(one["tokens.mean"], other["tokens.mean"])


def test_a_checkpoint_that_measured_is_not_gone_on_with_by_batches(cohort, tmp_path):
    run(NAMES, cohort, tmp_path, **SCRATCH, head_statistics="measured")
    with pytest.raises(RuntimeError) as caught:
        run(NAMES, cohort, tmp_path, **{**SCRATCH, "max_epochs": 3})
    assert "head_statistics 'measured' there, 'batch' now" in plain_message(caught.value)
    with pytest.raises(T3DError, match="head_statistics 'measured' there, 'batch' now"):
        go_on_with({"head_statistics": "batch"}, {"seed": 0}, path=tmp_path, epoch=1)  # of before there was a choice


@pytest.mark.parametrize("options", [{"freeze_epochs": 1}, {"fit_head": True}, {"pooling": "attention"}], ids=str)
def test_where_the_layer_is_fitted_or_absent_nothing_changed(cohort, tmp_path, options):
    done = run(NAMES, cohort, tmp_path, **{**SCRATCH, "max_epochs": 1, **options})
    recipe = json.loads((tmp_path / "models" / "model.json").read_text())["recipe"]
    assert recipe["head_statistics"] == "measured"
    rates = {group["lr"] for group in done.parser.get_parsed_content("optimizer").param_groups}
    assert len(rates) == 1
