from types import SimpleNamespace

import pytest
import torch
from monai.data import MetaTensor
from monai.engines.utils import PrepareBatchExtraInput

from t3d.losses.masked_bce import MaskedBCE
from t3d.networks.volume_classifier import VolumeClassifier
from t3d.train.fit_head import FitHead


def engine(batches):
    return SimpleNamespace(
        data_loader=batches,
        prepare_batch=PrepareBatchExtraInput({"mask": "window_mask"}),
        state=SimpleNamespace(device=torch.device("cpu")),
        non_blocking=False,
        amp=False,
        amp_kwargs={},
        loss_function=MaskedBCE(),
    )


@pytest.fixture
def batches():
    torch.manual_seed(0)
    found = []
    for _ in range(6):
        labels = torch.randint(0, 2, (4, 1)).float()
        windows = torch.rand(4, 2, 32, 32, 32) * (0.5 + 0.2 * labels[:, :, None, None, None])
        mask = torch.tensor([[True, True], [True, False]] * 2)
        windows = MetaTensor(windows)  # as they come from files
        found.append({"image": windows, "label": labels, "window_mask": mask})
    return found


def network(pooling="tokens"):
    torch.manual_seed(0)
    return VolumeClassifier(num_findings=1, feature_size=12, window_size=2, crop_size=32, pooling=pooling, dropout=0.5)


def test_the_head_is_standardised_and_fitted_and_nothing_else_is_changed(batches):
    module = network()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    module.train()
    FitHead(network=module).start(engine(batches))
    assert module.training
    changed = {name for name, tensor in module.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {f"tokens.{part}" for part in ("mean", "deviation", "cases", "linear.weight", "linear.bias")}
    module.eval()
    with torch.no_grad():
        pooled = torch.cat([module.pooled(batch["image"], mask=batch["window_mask"]) for batch in batches])
        logits = torch.cat([module(batch["image"], mask=batch["window_mask"]) for batch in batches])
    assert module.tokens.cases == len(pooled) == 24
    assert torch.allclose(module.tokens.mean, pooled.mean(0), atol=1e-5)
    assert module.tokens.standardised(pooled).norm(dim=1).mean() == pytest.approx(1, abs=0.1)
    labels = torch.cat([batch["label"] for batch in batches])
    assert logits[labels == 1].min() > logits[labels == 0].max()


def test_features_that_were_computed_before_give_the_same_fit(batches):
    one, other = network(), network()
    FitHead(network=one).start(engine(batches))
    with torch.no_grad():
        cached = [
            {**batch, "image": other.eval().counted_features(batch["image"], batch["window_mask"])}
            for batch in batches
        ]
    FitHead(network=other).start(engine(cached))
    assert torch.allclose(one.tokens.linear.weight, other.tokens.linear.weight, atol=1e-5)


@pytest.mark.parametrize("cases", [0, 2])
def test_the_fit_is_validated_before_the_first_step_where_there_are_cases(batches, cases):
    module, seen = network(), []
    validator = SimpleNamespace(data_loader=[None] * cases, run=lambda: seen.append(float(module.tokens.cases)))
    FitHead(network=module, validator=validator).start(engine(batches))
    assert seen == [24.0] * bool(cases)


def test_what_was_fitted_before_and_what_attends_is_left(batches):
    module = network()
    module.tokens.cases.fill_(7)
    attentive = network("attention")
    before = attentive.state_dict()["weight"].clone()
    FitHead(network=module).start(engine(None))
    FitHead(network=attentive).start(engine(None))
    assert not module.tokens.linear.weight.any() and torch.equal(attentive.weight, before)


def test_without_a_fit_the_layer_begins_at_zero_on_standardised_features(batches):
    module = network()
    FitHead(network=module, fit=False).start(engine(batches))
    fitted = network()
    FitHead(network=fitted).start(engine(batches))
    assert not module.tokens.linear.weight.any() and not module.tokens.linear.bias.any()
    assert module.tokens.cases == 24 and torch.equal(module.tokens.deviation, fitted.tokens.deviation)
