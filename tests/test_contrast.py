import math

import pytest
import torch
import torch.nn.functional as F

from t3d.errors import T3DError
from t3d.losses.contrast import TextInformedContrast, pair_similarities, top1_hits
from t3d.networks.view_pairs import pair_views


def unit(*shape, seed=0):
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=-1)


def plain_contrast(anchor, candidate, tau, patient=None):
    """The formula of the design, one term at a time."""
    terms = []
    volumes, views, _ = anchor.shape
    for i in range(volumes):
        for k in range(views):
            for other in range(views):
                if other == k:
                    continue
                own = candidate[i] if candidate.ndim == 4 else candidate
                scores = [math.exp(float(anchor[i, k] @ own[j, other]) / tau) for j in range(own.shape[0])]
                rivals = [scores[j] for j in range(own.shape[0]) if patient is None or patient[j] != patient[i]]
                terms.append(-math.log(scores[i] / sum(rivals if patient is None else [scores[i], *rivals])))
    return sum(terms) / len(terms)


def both_ways(anchor, candidate):
    """All ordered pairs of different views, side by side as the network gives them."""
    views = torch.zeros(len(anchor), anchor.shape[1], 1, 1, 1, 1)
    return pair_views(views, views).align(anchor, candidate)


@pytest.mark.parametrize("views", [2, 3])
def test_equals_the_plain_formula_for_plain_candidates(views):
    anchor, candidate = unit(5, views, 7), unit(5, views, 7, seed=1)
    loss = TextInformedContrast(temperature=0.2)(*both_ways(anchor, candidate))
    assert float(loss) == pytest.approx(plain_contrast(anchor, candidate, 0.2), rel=1e-9)


def test_equals_the_plain_formula_for_candidates_of_each_anchor():
    anchor, candidate = unit(4, 2, 7), unit(4, 4, 2, 7, seed=1)
    loss = TextInformedContrast(temperature=0.2)(*both_ways(anchor, candidate))
    assert float(loss) == pytest.approx(plain_contrast(anchor, candidate, 0.2), rel=1e-9)


@pytest.mark.parametrize("pairs", [1, 3])
def test_ordered_pairs_are_compared_with_their_own_candidates_alone(pairs):
    anchor, candidate = unit(5, pairs, 7), unit(5, pairs, 7, seed=1)
    image, corrupted = torch.rand(5, 2 * pairs, 1, 1, 1, 1), torch.zeros(5, pairs, 1, 1, 1, 1)
    views = pair_views(image, corrupted)
    assert torch.equal(torch.cat([views.clean, views.candidates], dim=1), image)
    loss = TextInformedContrast(temperature=0.2)(*views.align(anchor, candidate))
    terms = [
        -math.log(math.exp(float(a[i] @ c[i]) / 0.2) / sum(math.exp(float(a[i] @ c[j]) / 0.2) for j in range(5)))
        for a, c in zip(anchor.unbind(1), candidate.unbind(1), strict=True)
        for i in range(5)
    ]
    assert float(loss) == pytest.approx(sum(terms) / len(terms), rel=1e-9)


def test_views_that_make_no_pairs_are_refused():
    with pytest.raises(T3DError, match="4 views with 3 corrupted ones"):
        pair_views(torch.zeros(1, 4, 1, 1, 1, 1), torch.zeros(1, 3, 1, 1, 1, 1))
    with pytest.raises(T3DError, match="one view of a volume"):
        both_ways(unit(2, 1, 7), unit(2, 1, 7))


@pytest.mark.parametrize("shape", [(4, 2, 7), (4, 4, 2, 7)])
def test_other_studies_of_the_patient_are_left_out(shape):
    anchor, candidate = unit(4, 2, 7), unit(*shape, seed=1).requires_grad_()
    contrast = TextInformedContrast(temperature=0.2)

    def loss(anchor, candidate, patient=None):
        return contrast(*both_ways(anchor, candidate), patient)

    found = loss(anchor, candidate, torch.tensor([5, 9, 5, 2]))
    assert float(found) == pytest.approx(plain_contrast(anchor, candidate, 0.2, [5, 9, 5, 2]), rel=1e-9)
    assert float(found) < float(loss(anchor, candidate)) - 0.01
    assert torch.equal(loss(anchor, candidate, torch.arange(4)), loss(anchor, candidate))
    alone = loss(anchor, candidate, torch.ones(4, dtype=torch.int64))
    alone.backward()
    assert float(alone) == 0 and not candidate.grad.any()


def test_golden_value_of_orthogonal_volumes():
    eye = torch.eye(2, dtype=torch.float64).unsqueeze(1).expand(2, 2, 2)
    loss = TextInformedContrast(temperature=0.5)(eye, eye)
    assert float(loss) == pytest.approx(math.log(1 + math.exp(-2)), rel=1e-12)


def test_a_view_is_never_its_own_candidate():
    anchor = unit(3, 2, 7)
    similarities = pair_similarities(*both_ways(anchor, anchor))
    assert similarities.shape == (2, 3, 3)
    assert torch.allclose(similarities[0], anchor[:, 0] @ anchor[:, 1].T)
    assert torch.allclose(similarities[1], anchor[:, 1] @ anchor[:, 0].T)


def test_one_volume_is_refused():
    with pytest.raises(T3DError, match="batch_size to 2 or more"):
        TextInformedContrast()(unit(1, 2, 7), unit(1, 2, 7))


def test_temperature_must_be_positive():
    with pytest.raises(T3DError, match="temperature 0"):
        TextInformedContrast(temperature=0)


def test_top1_counts_pairs_and_a_constant_embedding_scores_nothing():
    candidate = torch.eye(4).unsqueeze(1).repeat(1, 2, 1)
    assert top1_hits(candidate, candidate).tolist() == [1, 1, 1, 1]
    anchor = candidate.clone()
    anchor[0, 0], anchor[1, 0] = candidate[1, 0], candidate[0, 0]  # one view of cases 0 and 1 swapped
    assert top1_hits(anchor, candidate).tolist() == [0.5, 0.5, 1, 1]
    constant = torch.ones(4, 2, 4)
    assert top1_hits(constant, constant).tolist() == [0, 0, 0, 0]
    shared = candidate.unsqueeze(0).repeat(4, 1, 1, 1)
    assert torch.equal(top1_hits(anchor, shared), top1_hits(anchor, candidate))
