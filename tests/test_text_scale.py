from typing import NamedTuple

import pytest
import torch

from t3d.errors import T3DError
from t3d.networks.pretrain import VERSION_0_1, PretrainNetwork


class Scale(NamedTuple):
    token_centre: torch.Tensor
    token_scale: torch.Tensor
    sentence_centre: torch.Tensor
    sentence_scale: torch.Tensor


SCALE = Scale(torch.arange(8.0), torch.full((8,), 2.0), torch.ones(8), torch.full((8,), 0.5))
PLAIN = Scale(torch.zeros(8), torch.ones(8), torch.zeros(8), torch.ones(8))


def build(**options):
    torch.manual_seed(0)
    sizes = {"feature_size": 12, "window_size": 2, "depths": (1, 1, 1, 1), "text_width": 8, "embedding_width": 6}
    return PretrainNetwork(**sizes, **options).eval()


@torch.no_grad()
def test_texts_are_standardised_wherever_they_are_read():
    network = build(use_sentences=True, use_alignment=True)
    generator = torch.Generator().manual_seed(0)
    report, sentences = torch.randn(2, 5, 8, generator=generator), torch.randn(3, 8, generator=generator)
    mask = torch.ones(2, 5, dtype=torch.bool)
    views = torch.rand(2, 2, 1, 32, 32, 32, generator=generator)

    def look(report, sentences):
        output = network(views, corrupted=views[:, :1], report=report, report_mask=mask)
        return output["anchor"], network.embed_report(report, mask), network.embed_sentence(sentences)

    plain = look(report, sentences)
    network.set_text_scale(SCALE)
    assert torch.equal(network.text_scale.token_centre, SCALE.token_centre)
    for one, other in zip(plain, look(report * 2 + torch.arange(8.0), sentences * 0.5 + 1), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(plain[2], look(report, sentences)[2], atol=1e-3)
    copy = build(use_sentences=True, use_alignment=True)
    copy.load_state_dict(network.state_dict())
    assert torch.equal(copy.text_scale.sentence_scale, SCALE.sentence_scale)


def test_networks_without_such_texts_have_no_such_numbers():
    for options in (VERSION_0_1, {"use_text": False}):
        network = build(**options)
        network.set_text_scale(SCALE)
        assert not [name for name in network.state_dict() if "text_scale" in name]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (PLAIN._replace(token_scale=torch.zeros(8)), "token_scale holds values that cannot scale"),
        (PLAIN._replace(sentence_centre=torch.full((8,), torch.nan)), "sentence_centre holds values"),
        (PLAIN._replace(token_centre=torch.zeros(5)), r"token_centre has shape \(5,\).*text_width"),
    ],
)
def test_numbers_that_cannot_scale_are_refused_and_nothing_is_set(wrong, said):
    network = build()
    with pytest.raises(T3DError, match=said):
        network.set_text_scale(wrong)
    assert not network.text_scale.token_centre.any()
