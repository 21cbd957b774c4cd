"""Other tasks of sentences: golden values by plain loops, two processes against one, what the network gives them."""

import math
import os
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F
from test_sentence_contrast import batch

from t3d.errors import T3DError
from t3d.losses.pretrain import SENTENCE_TASKS, PretrainLoss
from t3d.losses.report_contrast import ReportContrast
from t3d.losses.sentence_answers import RAW
from t3d.losses.sentence_clusters import SentenceClusters
from t3d.losses.sentence_opposites import SentenceOpposites
from t3d.losses.sentence_pairs import SentencePairs

TASKS = {"pairs": SentencePairs, "report": ReportContrast, "opposites": SentenceOpposites}


def with_opposites(part):
    """Sentence 3 has no opposite; the patient of volumes 0 and 3 is one."""
    generator = torch.Generator().manual_seed(5)
    part["opposite"] = torch.randn(part["spoken"].shape, generator=generator, dtype=part["spoken"].dtype)
    part["opposite"][3] = part["spoken"][3]
    part["patient"] = torch.tensor([7, 8, 9, 7])
    return part


def run(task, part):
    embed = {key: F.normalize(part[key] @ part["weights"], dim=1) for key in ("spoken", "opposite")}
    more = {}
    if task == "opposites":
        more = {"opposite": embed["opposite"], "opposed": (part["opposite"] != part["spoken"]).any(dim=1)}
    keys = ("spoken", "owner", "said", "said_mask", "patient")
    volume = F.normalize(part["volume"], dim=1)
    return TASKS[task](**RAW)(volume, embed["spoken"], **more, **{key: part[key] for key in keys})


def judged(part):
    """By plain loops: for each sentence (vector, opposite or None, owner, right volumes, wrong volumes)."""
    for spoken, opposite, owner in zip(part["spoken"], part["opposite"], part["owner"].tolist(), strict=True):
        right, wrong = [], []
        for j, (said, mask) in enumerate(zip(part["said"], part["said_mask"], strict=True)):
            cosine = max(float(F.cosine_similarity(spoken, s, dim=0)) for s in said[mask])
            same_patient = part["patient"][owner] == part["patient"][j]
            if j == owner or cosine > RAW["same"]:
                right.append(j)
            elif cosine <= RAW["near"] and not same_patient:
                wrong.append(j)
        vectors = [F.normalize(text @ part["weights"], dim=0) for text in (spoken, opposite)]
        yield vectors[0], None if torch.equal(spoken, opposite) else vectors[1], owner, right, wrong


def plain_pairs(part):
    volume, rows = F.normalize(part["volume"], dim=1), list(judged(part))
    odds = sum(len(right) for *_, right, _ in rows) / sum(len(wrong) for *_, wrong in rows)
    total = 0.0
    for vector, _, _, right, wrong in rows:
        for j in right + wrong:
            share = 1 / (1 + math.exp(-float(vector @ volume[j]) / 0.1 - math.log(odds)))
            total -= math.log(share if j in right else 1 - share)
    return total / len(rows)


def plain_opposites(part):
    volume, losses = F.normalize(part["volume"], dim=1), []
    for vector, opposite, _, right, wrong in judged(part):
        if opposite is None:
            continue
        gap = [float((vector - opposite) @ v) / 0.1 for v in volume]
        true = sum(math.log1p(math.exp(-gap[j])) for j in right) / len(right)
        losses.append((true + sum(math.log1p(math.exp(gap[j])) for j in wrong) / len(wrong)) / 2)
    return sum(losses) / len(losses)


def plain_report(part):
    volume, rows, count = F.normalize(part["volume"], dim=1), list(judged(part)), len(part["volume"])
    report = [F.normalize(sum(v for v, _, owner, *_ in rows if owner == i), dim=0) for i in range(count)]
    right = [[all(j in r for _, _, o, r, _ in rows if o == i) for j in range(count)] for i in range(count)]
    wrong = [[any(j in w for _, _, o, _, w in rows if o == i) for j in range(count)] for i in range(count)]
    logits = [[float(report[i] @ volume[j]) / 0.1 for j in range(count)] for i in range(count)]

    def direction(at):
        total = 0.0
        for i in range(count):
            kept = [j for j in range(count) if at(right, i, j) or at(wrong, i, j)]
            answers = [j for j in kept if at(right, i, j)]
            whole = math.log(sum(math.exp(at(logits, i, j)) for j in kept))
            total -= sum(at(logits, i, j) - whole for j in answers) / len(answers)
        return total / count

    return (direction(lambda m, i, j: m[i][j]) + direction(lambda m, i, j: m[j][i])) / 2


PLAIN = {"pairs": plain_pairs, "report": plain_report, "opposites": plain_opposites}


@pytest.mark.parametrize("task", TASKS)
def test_equals_the_definition(task):
    part = with_opposites(batch())
    assert float(run(task, part)) == pytest.approx(PLAIN[task](part), rel=1e-9)


def test_a_report_without_a_drawn_sentence_is_left_out():
    part = with_opposites(batch())
    part["owner"] = torch.tensor([0, 0, -1, 2, 3, 3])
    volume = part["volume"].requires_grad_()
    run("report", part).backward()
    assert not volume.grad[1].any() and volume.grad[0].any() and volume.grad.isfinite().all()


def test_clusters_equal_binary_cross_entropy():
    generator = torch.Generator().manual_seed(0)
    volume, cluster = (F.normalize(torch.randn(n, 6, generator=generator), dim=1) for n in (3, 5))
    share = torch.tensor([0.1, 0.5, 0.2, 0.9, 0.3])
    said = torch.rand(3, 5, generator=generator) < share
    total = 0.0
    for v, row in zip(volume, said, strict=True):
        for c, p, y in zip(cluster, share.tolist(), row.tolist(), strict=True):
            score = 1 / (1 + math.exp(-float(v @ c) / 0.1 - math.log(p / (1 - p))))
            total -= math.log(score if y else 1 - score)
    loss = SentenceClusters()(volume, cluster=cluster, cluster_share=share, cluster_said=said)
    assert float(loss) == pytest.approx(total / 3 / float(share.sum()), rel=1e-5)


def one_of_two(rank, folder):
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2, timeout=timedelta(seconds=120)
    )
    whole, rows = with_opposites(batch()), slice(2 * rank, 2 * rank + 2)
    mine = (whole["owner"] // 2) == rank  # three sentences here, three there
    for task in TASKS:
        part = {key: whole[key][rows] for key in ("said", "said_mask", "patient")}
        part |= {key: whole[key][mine] for key in ("spoken", "opposite")}
        part |= {"owner": whole["owner"][mine] - 2 * rank, "volume": whole["volume"][rows].clone().requires_grad_()}
        part["weights"] = whole["weights"].clone().requires_grad_()
        loss = run(task, part)
        loss.backward()
        gradient, total = part["weights"].grad, loss.detach()
        dist.all_reduce(gradient)
        dist.all_reduce(total)
        found = {"loss": total / 2, "weights": gradient / 2, "volume": part["volume"].grad / 2}
        torch.save(found, folder / f"{task}{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


def test_two_processes_equal_one(tmp_path):
    mp.spawn(one_of_two, (tmp_path,), nprocs=2)
    for task in TASKS:
        whole = with_opposites(batch())
        whole["volume"].requires_grad_()
        whole["weights"].requires_grad_()
        loss = run(task, whole)
        loss.backward()
        found = [torch.load(tmp_path / f"{task}{rank}.pt", weights_only=True) for rank in (0, 1)]
        assert float(found[0]["loss"]) == pytest.approx(float(loss.detach()), rel=1e-9)
        torch.testing.assert_close(found[1]["weights"], whole["weights"].grad, rtol=1e-6, atol=1e-9)
        volumes = torch.cat([part["volume"] for part in found])
        torch.testing.assert_close(volumes, whole["volume"].grad, rtol=1e-6, atol=1e-9)


def test_the_loss_says_what_the_network_does_not_give():
    output = {"volume": torch.zeros(2, 3), "sentence": torch.zeros(2, 3)}
    with pytest.raises(T3DError, match=r"reads cluster, .* same sentence_task"):
        PretrainLoss(contrast_weight=0, restoration_weight=0, sentence_weight=1, sentence_task="clusters")(output)
    with pytest.raises(T3DError, match=f"'words' is unknown; choose one of {', '.join(SENTENCE_TASKS)}"):
        PretrainLoss(sentence_task="words")
