"""The sentence contrast: golden values by a plain loop, what counts as right, two processes against one."""

import math
import os
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F

from t3d.errors import T3DError
from t3d.losses.sentence_answers import RAW, sentence_hits
from t3d.losses.sentence_contrast import SentenceContrast

WIDTH, TEXT = 6, 12


def batch(volumes=4, dtype=torch.float64):
    """Reports of 1 to 4 sentences; volumes 0 and 2 share one word for word, 3 nearly says one of 1."""
    generator = torch.Generator().manual_seed(2)
    said = torch.randn(volumes, 4, TEXT, generator=generator, dtype=dtype)
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 0]], dtype=torch.bool)[:volumes]
    said[2, 0] = said[0, 1]
    said[3, 2] = F.normalize(said[1, 0], dim=0) + 0.35 * F.normalize(torch.randn(TEXT, generator=generator), dim=0)
    owner = torch.tensor([0, 0, 1, 2, 3, 3])
    spoken = torch.stack([said[0, 0], said[0, 1], said[1, 0], said[2, 2], said[3, 0], said[3, 1]])
    volume = torch.randn(volumes, WIDTH, generator=generator, dtype=dtype)
    weights = torch.randn(TEXT, WIDTH, generator=generator, dtype=dtype)
    return {"said": said, "said_mask": mask, "owner": owner, "spoken": spoken, "volume": volume, "weights": weights}


def run(loss, part):
    volume = F.normalize(part["volume"], dim=1)
    sentence = F.normalize(part["spoken"] @ part["weights"], dim=1)
    keys = ("spoken", "owner", "said", "said_mask", "patient")
    return loss(volume, sentence, **{key: part[key] for key in keys if key in part})


def plain(part, *, tau=0.1, same=RAW["same"], near=RAW["near"], common=0.5):
    """The definition, one sentence and one volume after the other."""
    volume = F.normalize(part["volume"], dim=1)
    total, asked = 0.0, 0
    for spoken, owner in zip(part["spoken"], part["owner"].tolist(), strict=True):
        vector = F.normalize(spoken @ part["weights"], dim=0)
        right, kept = [], []
        for j, (said, mask) in enumerate(zip(part["said"], part["said_mask"], strict=True)):
            cosine = max(float(F.cosine_similarity(spoken, s, dim=0)) for s in said[mask])
            if j == owner or cosine > same:
                right.append(j)
            if j == owner or cosine > same or cosine <= near:
                kept.append(j)
        if len(right) > common * len(volume) or len(right) == len(kept):
            continue
        logits = {j: float(vector @ volume[j]) / tau for j in kept}
        log_sum = math.log(sum(math.exp(value) for value in logits.values()))
        total -= sum(logits[j] - log_sum for j in right) / len(right)
        asked += 1
    return total / asked


def test_equals_the_definition():
    part = batch()
    answers = SentenceContrast(**RAW).answers(part["spoken"], part["owner"], part["said"], part["said_mask"])
    assert answers.right[1].tolist() == [True, False, True, False]  # said word for word by two
    assert answers.unclear[2].tolist() == [False, False, False, True]  # nearly said
    assert answers.asked.all()
    assert float(run(SentenceContrast(**RAW), part)) == pytest.approx(plain(part), rel=1e-9)


def test_a_sentence_that_more_than_half_of_the_batch_says_is_not_asked():
    part = batch()
    part["said"][[1, 2, 3], 0] = part["said"][0, 0]
    answers = SentenceContrast(**RAW).answers(part["spoken"], part["owner"], part["said"], part["said_mask"])
    assert not answers.asked[0]
    assert float(run(SentenceContrast(**RAW), part)) == pytest.approx(plain(part), rel=1e-9)


def test_another_study_of_the_patient_is_no_wrong_answer():
    part = batch()
    part["patient"] = torch.tensor([7, 8, 9, 7])
    answers = SentenceContrast(**RAW).answers(
        part["spoken"], part["owner"], part["said"], part["said_mask"], part["patient"]
    )
    assert answers.unclear[0].tolist() == [False, False, False, True]
    assert not answers.right[0, 3]
    assert float(run(SentenceContrast(**RAW), part)) != pytest.approx(plain(part), rel=1e-3)


def test_thresholds_are_those_of_standardised_features():
    """Features of a BERT share most of their length: raw, every sentence seems to be said by everyone."""
    generator = torch.Generator().manual_seed(0)
    said = torch.randn(16, 2, 64, generator=generator)
    said[8:, 0] = said[:8, 0] + 0.3 * torch.randn(8, 64, generator=generator)  # the same in other words
    mask, owner = torch.ones(16, 2, dtype=torch.bool), torch.arange(16)
    raw = said + 5
    found = SentenceContrast().answers(said[:, 0], owner, said, mask)
    assert found.asked.all() and not found.unclear.any()
    assert torch.equal(found.right, torch.eye(8, dtype=torch.bool).repeat(2, 2))
    assert not SentenceContrast().answers(raw[:, 0], owner, raw, mask).asked.any()
    assert SentenceContrast(**RAW).answers(raw[:, 0], owner, raw, mask).unclear.float().mean() > 0.6


def test_nothing_to_ask_gives_zero_with_a_gradient():
    part = batch()
    part["said"][:, 0] = part["said"][0, 0]
    part["spoken"], part["owner"] = part["said"][:2, 0], torch.tensor([0, 1])
    volume = part["volume"].requires_grad_()
    loss = run(SentenceContrast(**RAW), part)
    loss.backward()
    assert loss == 0
    assert not volume.grad.any()


def test_hits_and_chance():
    part = batch()
    answers = SentenceContrast(**RAW).answers(part["spoken"], part["owner"], part["said"], part["said_mask"])
    perfect = F.one_hot(torch.arange(4)).float()
    target = F.normalize(answers.right.float() @ perfect, dim=1)
    hits, chance = sentence_hits(perfect, target, answers)
    assert hits.tolist() == [1.0] * 6
    assert chance.tolist() == pytest.approx([1 / 4, 2 / 4, 1 / 3, 1 / 4, 1 / 4, 1 / 4])
    constant, _ = sentence_hits(torch.ones(4, 4), torch.ones(6, 4), answers)
    assert constant.sum() == 0


@pytest.mark.parametrize("options", [{"temperature": 0}, {"near": 0.99}, {"common": 0}])
def test_impossible_settings_are_refused(options):
    with pytest.raises(T3DError, match=next(iter(options))):
        SentenceContrast(**options)


def one_of_two(rank, folder):
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2, timeout=timedelta(seconds=120)
    )
    whole, rows = batch(), slice(2 * rank, 2 * rank + 2)
    part = {key: whole[key][rows] for key in ("said", "said_mask", "volume")}
    part["said"], part["said_mask"] = (part["said"][:, :3], part["said_mask"][:, :3]) if rank else (
        part["said"], part["said_mask"])  # fmt: skip
    mine = (whole["owner"] // 2) == rank  # three sentences here, three there
    part |= {"owner": whole["owner"][mine] - 2 * rank, "spoken": whole["spoken"][mine], "weights": whole["weights"]}
    part["patient"] = torch.tensor([7, 8, 9, 7])[rows]
    part["volume"].requires_grad_()
    part["weights"].requires_grad_()
    loss = run(SentenceContrast(**RAW), part)
    loss.backward()
    gradient, total = part["weights"].grad, loss.detach()
    dist.all_reduce(gradient)
    dist.all_reduce(total)
    torch.save({"loss": total / 2, "weights": gradient / 2, "volume": part["volume"].grad / 2}, folder / f"{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


def test_two_processes_equal_one(tmp_path):
    mp.spawn(one_of_two, (tmp_path,), nprocs=2)
    whole = batch() | {"patient": torch.tensor([7, 8, 9, 7])}
    whole["volume"].requires_grad_()
    whole["weights"].requires_grad_()
    loss = run(SentenceContrast(**RAW), whole)
    loss.backward()
    found = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert float(found[0]["loss"]) == pytest.approx(float(loss.detach()), rel=1e-9)
    torch.testing.assert_close(found[1]["weights"], whole["weights"].grad, rtol=1e-6, atol=1e-9)
    volumes = torch.cat([part["volume"] for part in found])
    torch.testing.assert_close(volumes, whole["volume"].grad, rtol=1e-6, atol=1e-9)
