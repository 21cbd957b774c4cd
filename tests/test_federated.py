"""Federated learning: MONAI's client trains and evaluates rounds of the downstream bundles."""

import json
import math

import pytest
import torch
from classification_runs import TINY as CLASSIFICATION
from monai.fl.client import MonaiAlgo
from monai.fl.utils.constants import ExtraItems, WeightType
from monai.fl.utils.exchange_object import ExchangeObject
from pretrain_runs import BUNDLE
from segmentation_runs import TINY as SEGMENTATION

ROUNDS = 2
CLIENTS = {
    "t3d_segmentation": ({**SEGMENTATION, "label_fraction": 0.1}, "val_mean_dice"),
    "t3d_classification": (CLASSIFICATION, "val_mean_auroc"),
}


@pytest.fixture(params=list(CLIENTS))
def client(request, cohort, tmp_path):
    tiny, metric = CLIENTS[request.param]
    lists = json.loads((cohort / "datalist.json").read_text())
    if request.param == "t3d_segmentation":
        lists["validation"] = lists["validation"][:1]  # one case is enough to measure Dice
    (cohort / "federated.json").write_text(json.dumps(lists))
    bundle = BUNDLE.parent / request.param
    files = ["configs/train.json", "configs/demo.json"]
    options = {
        **tiny,
        "bundle_root": str(bundle),
        "dataset_dir": str(cohort),
        "datalist_file": str(cohort / "federated.json"),
        "ckpt_dir": str(tmp_path / "models"),
        "output_dir": str(tmp_path / "eval"),
        "warmup_steps": 0,
        "schedule_epochs": ROUNDS,
        "learning_rate": 0.01,
    }
    algo = MonaiAlgo(
        bundle_root=str(bundle), local_epochs=1, config_train_filename=files, config_evaluate_filename=files,
        train_kwargs=dict(options), eval_kwargs=dict(options), send_weight_diff=False,
    )  # fmt: skip
    algo.initialize(extra={ExtraItems.CLIENT_NAME: "site"})
    yield algo, metric
    algo.finalize()


def weights(network) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def test_rounds_start_from_the_weights_of_the_server(client):
    algo, metric = client
    server = weights(algo.trainer.network)
    seen: list[dict[str, torch.Tensor]] = []
    for number in range(ROUNDS):
        seen.clear()
        look = algo.trainer.network.register_forward_pre_hook(
            lambda net, _: None if seen else seen.append(weights(net))
        )
        algo.train(ExchangeObject(weights=server))
        look.remove()
        assert all(torch.equal(seen[0][name], value) for name, value in server.items()), f"round {number}"
        sent = algo.get_weights()
        assert sent.weight_type is WeightType.WEIGHTS and set(sent.weights) == set(server)
        assert any(not torch.equal(sent.weights[name], value) for name, value in server.items()), f"round {number}"
        assert sent.statistics["num_executed_iterations"] > 0
        # the mean of this site and of another one that learnt nothing
        server = {name: (value + server[name]) / 2 for name, value in sent.weights.items()}
        measured = algo.evaluate(ExchangeObject(weights=server)).metrics
        assert math.isfinite(measured[metric]), measured
        for name, value in algo.evaluator.network.state_dict().items():
            assert torch.equal(value, server[name]), name
