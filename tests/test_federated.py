"""Federated averaging by hand: MONAI's client trains the downstream bundles at two sites with different phantoms."""

import json
import logging
import math
import pickle

import pytest
import torch
from bundle_runs import REPOSITORY
from classification_runs import TINY as CLASSIFICATION
from monai.fl.client import MonaiAlgo
from monai.fl.utils.constants import ExtraItems, WeightType
from monai.fl.utils.exchange_object import ExchangeObject
from segmentation_runs import TINY as SEGMENTATION

logger = logging.getLogger(__name__)
BUNDLES = REPOSITORY / "bundles"
ROUNDS = 3
# training cases of a site, validation cases of the federation, settings, metric
FEDERATIONS = {
    "t3d_segmentation": (2, 2, SEGMENTATION, "val_mean_dice"),
    "t3d_classification": (8, 7, CLASSIFICATION, "val_mean_auroc"),
}


def one_organ(folder) -> str:
    """A label table that a few steps can learn, so that the numbers that are compared mean something."""
    table = json.loads((BUNDLES / "t3d_segmentation" / "configs" / "labels_demo.json").read_text())
    values = {name: found if isinstance(found, list) else [found] for name, found in table.items()}
    background = values.pop("background", [0])
    path = folder / "labels.json"
    path.write_text(json.dumps({"background": background, "organ": sorted(set(sum(values.values(), [])))}))
    return str(path)


def client(bundle: str, folder, lists: dict, tiny: dict) -> MonaiAlgo:
    folder.mkdir()
    (folder / "datalist.json").write_text(json.dumps(lists))
    root = str(BUNDLES / bundle)
    files = ["configs/train.json", "configs/demo.json"]
    options = {
        **tiny,
        "bundle_root": root,
        "dataset_dir": str(folder),
        "ckpt_dir": str(folder / "models"),
        "output_dir": str(folder / "eval"),
        "warmup_steps": 0,
        "schedule_epochs": ROUNDS,
        "val_interval": ROUNDS + 1,
        "learning_rate": 0.01,
        **({"labels_file": one_organ(folder)} if bundle == "t3d_segmentation" else {}),
    }
    algo = MonaiAlgo(
        bundle_root=root, local_epochs=1, config_train_filename=files, config_evaluate_filename=files,
        train_kwargs=dict(options), eval_kwargs=dict(options), send_weight_diff=False,
    )  # fmt: skip
    algo.initialize(extra={ExtraItems.CLIENT_NAME: folder.name})
    return algo


@pytest.fixture(params=list(FEDERATIONS))
def federation(request, cohort, tmp_path):
    """Two clients, the metric, and the cases whose names and reports must stay at the sites."""
    training, validation, tiny, metric = FEDERATIONS[request.param]
    lists = json.loads((cohort / "datalist.json").read_text())
    for item in (item for items in lists.values() if isinstance(items, list) for item in items):
        item.update({key: str(cohort / item[key]) for key in ("image", "label")})
    held_out = (lists["validation"] + lists["test"])[:validation]
    shares = [lists["training"][:training], lists["training"][training : 2 * training]]
    assert not {i["patient_id"] for i in shares[0]} & {i["patient_id"] for i in shares[1]}
    sites = [
        client(request.param, tmp_path / f"site_{name}", {"training": share, "validation": held_out}, tiny)
        for name, share in zip("ab", shares, strict=True)
    ]
    yield sites, metric, [*shares[0], *shares[1], *held_out]
    for site in sites:
        site.finalize()


def weights(network) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def average(sent: list[ExchangeObject]) -> dict[str, torch.Tensor]:
    """The mean of the sites' weights, each as often as it took steps (FedAvg, McMahan et al. 2017)."""
    steps = [one.statistics["num_executed_iterations"] for one in sent]
    return {
        name: sum(one.weights[name] * (count / sum(steps)) for one, count in zip(sent, steps, strict=True)).to(
            value.dtype
        )
        for name, value in sent[0].weights.items()
    }


def measured(site: MonaiAlgo, state: dict, metric: str) -> float:
    metrics = site.evaluate(ExchangeObject(weights=state)).metrics
    assert all(torch.equal(value, state[name]) for name, value in site.evaluator.network.state_dict().items())
    assert all(isinstance(value, float) for value in metrics.values()), "more than numbers would leave the site"
    assert math.isfinite(metrics[metric]), metrics
    return metrics[metric]


def test_three_rounds_of_averaging(federation):
    (first, second), metric, cases = federation
    server = weights(first.trainer.network)
    for number in range(ROUNDS):
        sent = []
        for site in (first, second):
            seen: list[dict[str, torch.Tensor]] = []
            look = site.trainer.network.register_forward_pre_hook(
                lambda net, _, seen=seen: None if seen else seen.append(weights(net))
            )
            site.train(ExchangeObject(weights=server))
            look.remove()
            assert all(torch.equal(seen[0][name], value) for name, value in server.items()), f"round {number}"
            found = site.get_weights()
            assert found.weight_type is WeightType.WEIGHTS and set(found.weights) == set(server)
            assert found.statistics["num_executed_iterations"] > 0
            sent.append(ExchangeObject(weights=weights(site.trainer.network), statistics=found.statistics))
            leaving = pickle.dumps(found)
            assert not any(case[key].encode() in leaving for case in cases for key in ("case_id", "report"))
        moved = [name for name, value in server.items() if not torch.equal(value, sent[0].weights[name])]
        assert moved and any(not torch.equal(sent[0].weights[name], sent[1].weights[name]) for name in moved)
        server = average(sent)
    alone = [measured(first, one.weights, metric) for one in sent]
    together = measured(first, server, metric)
    # on cases that neither site trained on, and for either client
    assert together == pytest.approx(measured(second, server, metric), abs=1e-5)
    logger.info("%s: %.3f averaged, %.3f and %.3f at the sites", metric, together, *alone)
    assert together >= min(alone), (together, alone)
