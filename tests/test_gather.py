"""Two processes must train exactly as one process that holds the joined batch."""

import os
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from monai.engines import PrepareBatchExtraInput, SupervisedEvaluator
from torch.nn.parallel import DistributedDataParallel

from t3d.evaluate.gauges import Gauges
from t3d.evaluate.measure_gauges import MeasureGauges
from t3d.losses.contrast import CANDIDATES
from t3d.losses.pretrain import PretrainLoss
from t3d.networks.pretrain import VERSION_0_1, PretrainNetwork

ROWS = 4


class Words(torch.nn.Module):
    """A text encoder with weights of its own, so that text gradients are compared too."""

    def __init__(self):
        super().__init__()
        self.words = torch.nn.Embedding(11, 8)

    def forward(self, ids):
        return self.words(ids)


KINDS = {
    "image": VERSION_0_1,
    "shared_report": {"candidates": "shared_report"},
    "own_report": {"candidates": "own_report"},
    "sentences": {"use_sentences": True, "text_chunk": 3},
    "sentences alone": {
        "use_sentences": True, "use_contrast": False, "use_restoration": False, "use_alignment": False,
    },
}  # fmt: skip


def build(kind):
    torch.manual_seed(3)
    network = PretrainNetwork(
        feature_size=12,
        window_size=2,
        depths=(1, 1, 1, 1),
        text_width=8,
        embedding_width=6,
        text_encoder=Words(),
        **{"use_alignment": True} | KINDS[kind],
    )
    return network.double()


def batch():
    generator = torch.Generator().manual_seed(5)
    image = torch.rand(ROWS, 2, 1, 32, 32, 32, generator=generator, dtype=torch.float64)
    corrupted = torch.rand(ROWS, 2, 1, 32, 32, 32, generator=generator, dtype=torch.float64)
    report = torch.randint(0, 11, (ROWS, 5), generator=generator)
    mask = torch.ones(ROWS, 5, dtype=torch.bool)
    mask[1, 3:] = False
    return {"image": image, "corrupted": corrupted, "report": report, "report_mask": mask,
            "report_id": torch.tensor([1, 2, 1, 3]), "patient": torch.tensor([7, 8, 8, 8])}  # fmt: skip


def sentence_batch():
    """Two ordered pairs; reports of 1 to 4 sentences, one sentence shared by volumes of both halves."""
    generator = torch.Generator().manual_seed(6)
    image = torch.rand(ROWS, 4, 1, 32, 32, 32, generator=generator, dtype=torch.float64)
    windows = torch.rand(ROWS, 3, 1, 32, 32, 32, generator=generator, dtype=torch.float64)
    said = torch.randn(ROWS, 4, 8, generator=generator, dtype=torch.float64)
    said[2, 0] = said[0, 1]
    said_mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 0]], dtype=torch.bool)
    window_mask = torch.tensor([[1, 1, 1], [1, 1, 0], [0, 1, 1], [1, 0, 0]], dtype=torch.bool)
    drawn = torch.tensor([[0, 1, 3], [1, -1, -1], [0, -1, -1], [-1, -1, -1]])
    return batch() | {"image": image, "windows": windows, "window_mask": window_mask, "said": said,
                      "said_mask": said_mask, "drawn": drawn, "patient": torch.tensor([7, 8, 9, 8])}  # fmt: skip


def whole_batch(kind):
    return sentence_batch() if "sentences" in kind else batch()


def gradients(network, part, kind):
    weights = {"alignment_weight": 0.7}
    if kind == "sentences":
        weights |= {"sentence_weight": 0.9}
    elif kind == "sentences alone":
        weights = {"contrast_weight": 0.0, "restoration_weight": 0.0, "sentence_weight": 1.0}
    loss = PretrainLoss(**weights)(network(part.pop("image"), **part))
    loss.backward()
    return loss.detach()


def join(rank, folder):
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2, timeout=timedelta(seconds=120)
    )


def own_rows(rank, whole):
    rows = {key: value[rank * ROWS // 2 : (rank + 1) * ROWS // 2] for key, value in whole.items()}
    if "said" in rows:  # a loader pads to the longest report of its own batch
        longest = 4 - rank
        rows |= {"said": rows["said"][:, :longest], "said_mask": rows["said_mask"][:, :longest]}
    return rows


def one_of_two(rank, folder):
    """All that the tests compare: most of the time of a process is its imports."""
    join(rank, folder)
    kept = [train_one_of_two(rank, kind, folder) for kind in KINDS]
    kept += [validate_one_of_two(rank, candidates, folder) for candidates in CANDIDATES]
    dist.barrier()
    # Not the usual way out, and no network goes before: torch may free DistributedDataParallel while it holds the
    # interpreter's lock and then wait for gloo's thread, which waits for that lock (seen as a hang with py-spy, torch
    # 2.13).
    os._exit(0)


def train_one_of_two(rank, kind, folder):
    network = DistributedDataParallel(build(kind))
    loss = gradients(network, own_rows(rank, whole_batch(kind)), kind)
    dist.all_reduce(loss)
    if rank == 0:
        found = {name: parameter.grad for name, parameter in network.module.named_parameters()}
        torch.save({"loss": loss / 2, "gradients": found}, folder / f"{kind}.pt")
    return network


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The folder with what two processes found."""
    folder = tmp_path_factory.mktemp("two")
    mp.spawn(one_of_two, (folder,), nprocs=2)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_of_two_processes_equals_that_of_one(kind, two):
    two = torch.load(two / f"{kind}.pt", weights_only=True)
    network = build(kind)
    loss = gradients(network, whole_batch(kind), kind)
    assert float(two["loss"]) == pytest.approx(float(loss), rel=1e-9)
    compared = 0
    for name, parameter in network.named_parameters():
        scale = parameter.grad.abs().max()
        assert scale > 0, f"{name} gets no gradient: the comparison would say nothing"
        difference = (two["gradients"][name] - parameter.grad).abs().max()
        # A key bias moves no softmax: its gradient is rounding noise, which the floor lets pass.
        assert difference <= 1e-5 * max(scale, 1e-9), f"{name}: {difference / scale:.2e}"
        compared += 1
    assert compared > 50
    assert any("text_encoder" in name for name in two["gradients"]) == (kind != "sentences alone")


def gauge_batch():
    # nearly equal volumes, so that some anchors find another volume than their own
    whole = batch()
    whole["image"] = whole["image"][:1] + 0.02 * whole["image"]
    return whole | {"case_id": list("abcd"), "patient_id": list("pqrs"), "patient": torch.arange(ROWS)}


def validate_one_of_two(rank, candidates, folder):
    keys = ("corrupted", "report", "report_mask", "report_id", "patient")
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=[own_rows(rank, gauge_batch())],
        network=DistributedDataParallel(build(candidates)),
        epoch_length=1,
        prepare_batch=PrepareBatchExtraInput(extra_keys={key: key for key in keys}),
        iteration_update=MeasureGauges(),
        val_handlers=[Gauges()],
        decollate=False,
    )
    evaluator.run()
    found = {"hit": evaluator.state.output["hit"], "gauges": evaluator.state.gauges}
    torch.save(found, folder / f"{candidates}_{rank}.pt")
    return evaluator


@pytest.mark.parametrize("candidates", CANDIDATES)
def test_validation_of_two_processes_scores_each_ones_own_volumes(candidates, two):
    two = [torch.load(two / f"{candidates}_{rank}.pt", weights_only=True) for rank in (0, 1)]
    whole = gauge_batch()
    texts = {key: whole[key] for key in ("corrupted", "report", "report_mask")}
    with torch.no_grad():
        network = build(candidates).eval()
        output = network(whole["image"], **texts)
    anchor, candidate = output["anchor"], output["candidate"]
    expected = []
    for i in range(ROWS):
        own = candidate[i] if candidate.ndim == 4 else candidate
        (rival,) = (j for j in range(ROWS) if j != i and j // 2 == i // 2)
        right = [anchor[i, q] @ own[i, q] > anchor[i, q] @ own[rival, q] for q in (0, 1)]
        expected.append(sum(map(float, right)) / 2)
    assert torch.cat([part["hit"] for part in two]).tolist() == expected
    assert 0 < sum(expected) < ROWS, "only hits or only misses: the comparison would say little"
    for part in two:
        assert part["gauges"]["tic_accuracy"] == pytest.approx(sum(expected) / ROWS)
        assert part["gauges"]["tic_chance"] == 0.5 and part["gauges"]["cases"] == ROWS
