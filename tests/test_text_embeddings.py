"""Texts embedded live, through the cache, and as the training step embeds them."""

import pytest
import torch
from tiny_text import REPORTS, make_encoder

from t3d.errors import T3DError
from t3d.infer.text_embeddings import TextEmbeddings
from t3d.networks.pretrain import PretrainNetwork
from t3d.networks.text_encoder import TextEncoder, load_tokenizer
from t3d.reports.features import ReportFeatures

NAMES = [f"case{i}" for i in range(len(REPORTS))]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return make_encoder(tmp_path_factory.mktemp("text"))


def network(text_width=32, *, use_alignment=True, text_encoder=None):
    torch.manual_seed(0)
    return PretrainNetwork(
        feature_size=12, window_size=2, text_width=text_width, embedding_width=16, use_alignment=use_alignment,
        text_encoder=text_encoder,
    ).eval()  # fmt: skip


def test_equals_what_a_training_step_sees(encoder, tmp_path):
    net = network()
    embed = TextEmbeddings(network=net, text_encoder=encoder, max_tokens=64)
    cache = ReportFeatures(
        encoder=TextEncoder(encoder), tokenizer=load_tokenizer(encoder), cache_dir=tmp_path / "a", max_tokens=64
    )
    expected = []
    for text in REPORTS:
        features, mask, _ = cache.get(text)
        image = torch.rand(1, 2, 1, 32, 32, 32)
        with torch.no_grad():
            output = net(image, corrupted=image, report=features[None], report_mask=mask[None])
        expected.append(output["report"][0])
    found = embed(REPORTS, NAMES, batch_size=3)
    assert torch.allclose(found, torch.stack(expected), atol=1e-5)
    assert not torch.allclose(found[0], found[1], atol=1e-3)
    cached = TextEmbeddings(network=net, text_encoder=encoder, max_tokens=64, cache_dir=str(tmp_path / "b"))
    assert torch.allclose(cached(REPORTS, NAMES, batch_size=3), found, atol=1e-5)
    assert len(list((tmp_path / "b").rglob("*.safetensors"))) == len(REPORTS)


def test_sections_are_those_of_the_training(encoder):
    net = network()
    short = TextEmbeddings(network=net, text_encoder=encoder, max_tokens=64, sections=["impression"])
    whole = TextEmbeddings(network=net, text_encoder=encoder, max_tokens=64)
    assert torch.allclose(short(REPORTS[:1], NAMES[:1]), whole(["Right lower lobe nodule."], ["x"]), atol=1e-5)
    assert not torch.allclose(short(REPORTS[:1], NAMES[:1]), whole(REPORTS[:1], NAMES[:1]), atol=1e-3)


def test_a_text_encoder_that_learnt_is_the_networks_own(encoder, tmp_path):
    own = TextEncoder(encoder, trained_layers=1)
    with torch.no_grad():
        for parameter in own.model.parameters():
            parameter.mul_(1.3)
    options = {"text_encoder": encoder, "max_tokens": 64, "cache_dir": str(tmp_path)}
    learnt = TextEmbeddings(network=network(text_encoder=own), **options)(REPORTS, NAMES)
    frozen = TextEmbeddings(network=network(text_encoder=TextEncoder(encoder)), **options)(REPORTS, NAMES)
    assert not torch.allclose(learnt, frozen, atol=1e-3)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_faults_are_named(encoder):
    with pytest.raises(T3DError, match=r"no head for texts.*sentence_weight"):
        TextEmbeddings(network=network(use_alignment=False), text_encoder=encoder)(["a"], ["x"])
    with pytest.raises(T3DError, match="32 features per token but text_width is 8"):
        TextEmbeddings(network=network(8), text_encoder=encoder, max_tokens=64)(["a"], ["x"])
    with pytest.raises(T3DError, match="case7"):
        TextEmbeddings(network=network(), text_encoder=encoder, max_tokens=64)(["The liver.", " "], ["case6", "case7"])
