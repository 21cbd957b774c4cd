"""Zero-shot scores and their files, with a text side that is made up."""

import csv
import json
import logging

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from ignite.engine import Engine
from sklearn.metrics import roc_auc_score

from t3d.errors import T3DError
from t3d.evaluate.zero_shot import ZeroShot, embed_pairs, zero_shot_scores
from t3d.evaluate.zero_shot_metrics import finding_states, score_metrics
from t3d.reports.prompts import PromptPair

PROMPTS = {
    "findings": {
        "Nodule": {"positive": ["n", "N."], "negative": ["no n"]},
        "fluid": {"positive": ["f"], "negative": ["no f"]},
    }
}
PLACES = {
    "n": (1.0, 0.0, 0.0),
    "N.": (0.0, 0.0, 1.0),
    "no n": (-1.0, 0.0, 0.0),
    "f": (0.0, 1.0, 0.0),
    "no f": (0.0, -1.0, 0.0),
}


def embed(texts, names):
    return torch.tensor([PLACES[text] for text in texts])


def case(number: int, **more) -> dict:
    return {"case_id": f"c{number}", "patient_id": f"p{number // 2}", **more}


def run(folder, items, volumes, prompts=PROMPTS, **options):
    file = folder / "prompts.json"
    file.write_text(json.dumps(prompts))
    engine = Engine(lambda engine, batch: {"pred": {"embedding": volumes[batch["case_id"][0]]}})
    handler = ZeroShot(
        output_dir=str(folder / "out"), embed=embed, items=items, prompts_file=str(file), **options
    )  # fmt: skip
    handler.attach(engine)
    engine.run([{"case_id": [item["case_id"]]} for item in items])
    return folder / "out"


def test_score_is_the_softmax_over_both_cosines():
    random = torch.Generator().manual_seed(0)
    volume, positive, negative = (F.normalize(torch.randn(n, 5, generator=random), dim=1) for n in (4, 3, 3))
    found = zero_shot_scores(volume, positive, negative, temperature=0.2)
    for i in range(4):
        for f in range(3):
            both = np.exp([float(volume[i] @ side[f]) / 0.2 for side in (positive, negative)])
            assert float(found[i, f]) == pytest.approx(both[0] / both.sum(), abs=1e-6)


def test_wordings_are_averaged_on_the_sphere():
    pairs = {"a": PromptPair(("n", "N."), ("no n",)), "b": PromptPair(("f",), ("no f",))}
    positive, negative = embed_pairs(pairs, embed)
    assert torch.allclose(positive, torch.tensor([[0.5**0.5, 0, 0.5**0.5], [0, 1, 0]]))
    assert torch.equal(negative, torch.tensor([[-1.0, 0, 0], [0, -1, 0]]))


def test_files_of_cases_with_findings(tmp_path):
    random = np.random.default_rng(0)
    items, volumes = [], {}
    for number in range(40):
        states = {"nodule": int(random.uniform() < 0.5), "fluid": None if number < 4 else int(number % 2)}
        items.append(case(number, findings={**states, "unheard of": 1}))
        place = torch.tensor([[2.0 * states["nodule"] - 1, 0.0, 0.0]]) + torch.tensor(random.normal(0, 1.5, (1, 3)))
        volumes[f"c{number}"] = F.normalize(place.float(), dim=1)
    folder = run(tmp_path, items, volumes)
    predictions = json.loads((folder / "predictions.json").read_text())
    assert predictions["findings"] == ["nodule", "fluid"]
    assert [one["case_id"] for one in predictions["cases"]] == [item["case_id"] for item in items]
    with open(folder / "predictions.csv") as file:
        rows = list(csv.DictReader(file))
    for row, one in zip(rows, predictions["cases"], strict=True):
        assert row["case_id"] == one["case_id"]
        assert float(row["nodule"]) == pytest.approx(one["scores"]["nodule"], abs=1e-6)
    metrics = json.loads((folder / "metrics.json").read_text())
    labels = [item["findings"]["nodule"] for item in items]
    expected = roc_auc_score(labels, [one["scores"]["nodule"] for one in predictions["cases"]])
    nodule = metrics["findings"]["nodule"]
    assert nodule["auroc"]["value"] == pytest.approx(expected) and expected > 0.6
    assert nodule["auroc"]["interval"][0] < expected < nodule["auroc"]["interval"][1]
    assert (nodule["positives"], nodule["negatives"], nodule["unknown"]) == (sum(labels), 40 - sum(labels), 0)
    assert metrics["findings"]["fluid"]["unknown"] == 4
    assert metrics["patients"] == 20
    both = [metrics["findings"][name]["auroc"]["value"] for name in ("nodule", "fluid")]
    assert metrics["mean"]["auroc"]["value"] == pytest.approx(np.mean(both))
    assert (folder / "metrics.png").stat().st_size > 1000


def test_without_findings_there_are_scores_for_all_prompts_and_no_metrics(tmp_path):
    folder = run(tmp_path, [case(0)], {"c0": torch.tensor([[1.0, 0, 0]])})
    assert json.loads((folder / "predictions.json").read_text())["findings"] == ["nodule", "fluid"]
    assert not (folder / "metrics.json").exists()


def test_results_are_not_overwritten_unasked(tmp_path):
    volumes = {"c0": torch.tensor([[1.0, 0, 0]])}
    folder = run(tmp_path, [case(0)], volumes, findings=["fluid"])
    before = (folder / "predictions.json").read_bytes()
    with pytest.raises(T3DError, match="--overwrite True"):
        run(tmp_path, [case(0)], volumes)
    assert (folder / "predictions.json").read_bytes() == before
    run(tmp_path, [case(0)], volumes, overwrite=True)
    assert (folder / "predictions.json").read_bytes() != before


def test_temperature_must_be_positive(tmp_path):
    with pytest.raises(T3DError, match="temperature 0"):
        run(tmp_path, [case(0)], {}, temperature=0)


def test_states_are_0_1_or_unknown_under_any_spelling():
    items = [
        case(0, findings={"Lung nodule": 1, "b": None}),
        case(1, findings={"Lung nodule": 0.0, "b": -1}),
        case(2, findings={"b": ""}),
        case(3),
    ]
    states = finding_states(items, ["lung_nodule", "b"])
    assert np.array_equal(states, [[1, np.nan], [0, np.nan], [np.nan] * 2, [np.nan] * 2], equal_nan=True)
    assert np.isnan(finding_states([case(3), case(4, findings={"c": 1})], ["b"])).all()
    for value in (2, "yes", 0.5, [1]):
        with pytest.raises(T3DError, match="case c5: finding b is"):
            finding_states([case(5, findings={"b": value}), case(6, findings={"b": 1})], ["b"])


def test_a_finding_of_one_class_has_no_auroc_and_stays_out_of_the_mean(caplog):
    scores = np.random.default_rng(0).uniform(size=(20, 2))
    states = np.stack([np.arange(20) % 2, np.zeros(20)], axis=1).astype(float)
    with caplog.at_level(logging.WARNING):
        metrics = score_metrics(scores, states, np.arange(20), ["a", "b"])
    assert metrics["findings"]["b"]["auroc"] == {"value": None, "interval": None}
    assert "b: 0 positive and 20 negative" in caplog.text
    assert metrics["mean"]["auroc"]["value"] == metrics["findings"]["a"]["auroc"]["value"]
    assert metrics["mean"]["findings"] == 1
