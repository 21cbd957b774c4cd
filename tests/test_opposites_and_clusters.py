"""Opposites and clusters of sentences: rules, features row by row, k-means over a cohort, the network's output."""

import pytest
import torch
from pretrain_runs import infer, run
from test_pretrain_network import SENTENCES, build, sentences, texts, views
from tiny_text import make_encoder

from t3d.errors import T3DError
from t3d.losses.pretrain import PretrainLoss
from t3d.networks.text_clusters import TextClusters
from t3d.networks.text_encoder import TextEncoder, load_tokenizer
from t3d.reports.opposite_features import OppositeFeatures
from t3d.reports.opposite_sentences import opposite_sentence
from t3d.reports.sentence_clusters import cluster_sentences
from t3d.reports.sentence_features import SentenceFeatures

PAIRS = [
    ("Right renal cyst, 4.9 cm.", "No right renal cyst, 4.9 cm."),
    ("There is no pleural effusion.", "There is pleural effusion."),
    ("There is a nodule.", "There is no nodule."),
    ("No evidence of pneumonia.", "Pneumonia."),
    ("The liver is enlarged.", "The liver is not enlarged."),
    ("The heart is not enlarged.", "The heart is enlarged."),
    ("Gallbladder without calculi.", "Gallbladder with calculi."),
    ("Negative for embolism.", "Positive for embolism."),
    ("CT is normal.", "CT is not normal."),
    ("COPD.", "No COPD."),
    ("1.", ""),
]


@pytest.mark.parametrize("sentence, opposite", PAIRS)
def test_rules(sentence, opposite):
    assert opposite_sentence(sentence) == opposite


ONE_WAY = ("No evidence of pneumonia.", "There is a nodule.", "Gallbladder without calculi.", "1.")


@pytest.mark.parametrize("sentence", [sentence for sentence, _ in PAIRS if sentence not in ONE_WAY])
def test_twice_is_the_sentence_again(sentence):
    assert opposite_sentence(opposite_sentence(sentence)).lower() == sentence.lower()


# "Enlarged heart" and "No enlarged heart" are each other's opposite; five distinct sentences
REPORTS = [
    "FINDINGS: The lungs are clear. Left kidney cyst. IMPRESSION: Enlarged heart.",
    "FINDINGS: The lungs are clear. IMPRESSION: No enlarged heart. Left kidney cyst.",
    "FINDINGS: The liver is normal. IMPRESSION: No enlarged heart.",
]
ITEMS = [{"report": text, "case_id": str(number)} for number, text in enumerate(REPORTS)]


@pytest.fixture(scope="module")
def tower(tmp_path_factory):
    folder = make_encoder(tmp_path_factory.mktemp("text"))
    return {"encoder": TextEncoder(folder), "tokenizer": load_tokenizer(folder), "max_tokens": 32}


@pytest.fixture
def features(tmp_path, tower):
    features = SentenceFeatures(**tower, cache_dir=tmp_path / "sentences")
    features.precompute(ITEMS)
    return features


def test_opposites_lie_beside_what_is_said(tmp_path, tower, features):
    beside = OppositeFeatures(features, **tower, cache_dir=tmp_path / "opposites")
    beside.precompute(ITEMS)
    said = [features.get(text).said for text in REPORTS]
    opposite = [beside.get(text) for text in REPORTS]
    assert [len(rows) for rows in said] == [len(rows) for rows in opposite] == [3, 3, 2]
    torch.testing.assert_close(opposite[1][1], said[0][2])
    torch.testing.assert_close(opposite[0][2], said[1][1])


def test_clusters_are_those_of_the_list(features):
    centre, share = cluster_sentences(features, ITEMS, count=5, scale=None)
    clusters = TextClusters(5, features.width)
    clusters.set(centre, share)
    held = []
    for text in REPORTS:
        said = features.get(text).said
        held.append(clusters.held(said.unsqueeze(0), torch.ones(1, len(said), dtype=torch.bool))[0])
        plain = ((said.unsqueeze(1) - centre) ** 2).sum(dim=2).argmin(dim=1)
        assert set(held[-1].nonzero().flatten().tolist()) == set(plain.tolist())
    # five distinct sentences: each is a cluster, and the shares are counts of reports
    assert sorted(share.mul(3).tolist()) == pytest.approx([1, 1, 2, 2, 2])
    torch.testing.assert_close(share, sum(row.float() for row in held) / 3)
    again = cluster_sentences(features, ITEMS[::-1], count=5, scale=None)
    torch.testing.assert_close(again[0], centre)
    with pytest.raises(T3DError, match="sentence_clusters is 6 .* 5 distinct sentences"):
        cluster_sentences(features, ITEMS, count=6, scale=None)
    with pytest.raises(T3DError, match="sentence_clusters"):
        clusters.set(centre[:3], share[:3])


@pytest.mark.parametrize("task", ["opposites", "clusters"])
def test_the_network_gives_what_the_task_reads(task):
    alone = {"use_contrast": False, "use_restoration": False, "use_sentences": True}
    network, asked = build(**alone, sentence_clusters=4 if task == "clusters" else 0), sentences()
    if task == "opposites":
        asked["opposite"] = asked["said"].flip(1)
        asked["opposite"][0, 2] = asked["said"][0, 2]
    else:
        network.text_clusters.set(torch.randn(4, 8), torch.tensor([0.1, 0.2, 0.5, 0.4]))
    output = network(views(), **texts(), **asked)
    loss = PretrainLoss(**SENTENCES, sentence_task=task)(output)
    loss.backward()
    assert all(p.grad is not None for p in network.parameters() if p.requires_grad)
    if task == "opposites":
        assert output["opposed"].tolist() == [False, True, True, True, True, True]
        torch.testing.assert_close(output["opposite"][1:2], network.embed_sentence(asked["said"][0, 3:4]))
    else:
        assert output["cluster_said"].shape == (3, 4)
        assert "text_clusters.share" in network.state_dict()


@pytest.mark.parametrize("task", ["opposites", "clusters"])
def test_a_training_with_the_task(task, cohort, tmp_path):
    few = {"max_epochs": 1, "steps_per_epoch": 1, "text_windows": 2, "text_sentences": 2, "sentence_clusters": 3}
    run(("train", "demo"), cohort, tmp_path, sentence_task=task, contrast_weight=0, restoration_weight=0, **few)
    weights = torch.load(tmp_path / "models" / "model.pt", weights_only=True)
    assert ("text_clusters.share" in weights) == (task == "clusters")
    infer(cohort, tmp_path, output_dir=str(tmp_path / "features"))  # the record builds the same network again
    assert list((tmp_path / "features").glob("*.safetensors"))
