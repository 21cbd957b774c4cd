"""What an untrained encoder shows to few labels: the head of 0.1 beside a logistic regression on all tokens.

    python -m t3d phantoms --out_dir PHANTOMS --cases 1000 --shape 64 --seed 11 --nomontage
    python benchmarks/few_labels.py --dataset_dir PHANTOMS

Windows of 32^3 side by side at 6 mm, Swin encoder of feature size 12 with random weights. Cases are taken by their
names: labels are drawn from the first 600, the last 300 are the test. Printed is the mean AUROC of all findings.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from monai.optimizers import WarmupCosineSchedule
from monai.utils import set_determinism
from torch import Tensor, nn

from t3d.bundle.steps import volume_steps
from t3d.data.findings import positive_weights
from t3d.losses.masked_bce import MaskedBCE
from t3d.metrics.classification import auroc
from t3d.networks.token_pooling import TokenHead, pool_windows
from t3d.networks.volume_classifier import VolumeClassifier
from t3d.train.fit_head import DECAY
from t3d.train.logistic_regression import fit_linear

SIZES = {"feature_size": 12, "window_size": 2, "crop_size": 32, "overlap": 0.0, "sw_batch_size": 16}
PREPARATION = {"spacing": [6.0] * 3, "orientation": "RAS", "hu_range": [-1000, 1000]}
EPOCHS, BATCH, RATE, DECAY_OF_ADAM, WARM_UP = 60, 16, 0.003, 0.05, 20  # linear_probe.json of 0.1
DEEPEST = 192


@torch.no_grad()
def features_of(items: list[dict], folder: Path, network: VolumeClassifier) -> tuple[Tensor, Tensor]:
    """Features (N, W, C) of all windows of all cases, and their mask (N, W)."""
    prepare = volume_steps(preparation=PREPARATION)
    features, masks = [], []
    for item in items:
        volume = prepare({**item, "image": str(folder / item["image"])})["image"]
        found, mask = network.window_features(volume[0])
        features.append(found[0])
        masks.append(mask[0])
    pad = nn.utils.rnn.pad_sequence
    return pad(features, batch_first=True), pad(masks, batch_first=True)


class OldHead(nn.Module):
    """Attention over windows, as ``VolumeClassifier`` of the same settings has it, without its encoder."""

    def __init__(self, findings: int) -> None:
        super().__init__()
        self.network = VolumeClassifier(num_findings=findings, pooling="attention", attention_width=32, **SIZES)
        del self.network.swinViT

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        return self.network.classify(features, mask)


def trained(network: nn.Module, given: tuple[Tensor, ...], labels: Tensor, loss: nn.Module) -> nn.Module:
    """The last weights of a training as ``linear_probe.json`` of 0.1 sets it."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY_OF_ADAM)
    steps = -(-len(labels) // BATCH)
    schedule = WarmupCosineSchedule(optimizer, WARM_UP, EPOCHS * steps)
    random = np.random.default_rng(0)
    for _ in range(EPOCHS):
        for rows in np.array_split(random.permutation(len(labels)), steps):
            optimizer.zero_grad()
            loss(network(*[part[rows] for part in given]), labels[rows]).backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return network.eval()


def mean_auroc(logits: Tensor, labels: Tensor) -> float:
    """Over the findings that have both classes."""
    pairs = zip(logits.detach().numpy().T, labels.numpy().T, strict=True)
    return float(np.nanmean([auroc(scores, known) for scores, known in pairs]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset_dir", type=Path, required=True)
    parser.add_argument("--labels", type=int, nargs="+", default=[50, 200])
    parser.add_argument("--pool", type=int, default=600, help="first cases, of which labels are drawn")
    parser.add_argument("--test", type=int, default=300, help="last cases")
    parser.add_argument("--draws", type=int, default=3)
    options = parser.parse_args()
    lists = json.loads((options.dataset_dir / "datalist.json").read_text())
    items = sorted((item for name in lists for item in lists[name]), key=lambda item: item["case_id"])
    items = items[: options.pool] + items[-options.test :]
    names = sorted(items[0]["findings"])
    labels = torch.tensor([[float(item["findings"][name]) for name in names] for item in items])
    set_determinism(seed=0)
    network = VolumeClassifier(num_findings=len(names), pooling="tokens", **SIZES).eval()
    features, mask = features_of(items, options.dataset_dir, network)
    pooled = pool_windows(features, mask)
    width = network.feature_width // 3
    deepest = features[..., width - DEEPEST : width].contiguous()
    test = slice(-options.test, None)
    for count in options.labels:
        found: dict[str, list[float]] = {}
        for draw in range(options.draws):
            rows = np.random.default_rng(100 + draw).permutation(options.pool)[:count]
            known = [{"label": labels[row].tolist()} for row in rows]
            loss = MaskedBCE(positive_weights(known, names, largest=10.0))
            torch.manual_seed(draw)
            old = trained(OldHead(len(names)), (deepest[rows], mask[rows]), labels[rows], loss)
            head = TokenHead(network.feature_width, len(names))
            head.measure(pooled[rows])
            stepped = trained(head, (pooled[rows],), labels[rows], loss)(pooled[test])
            standard = head.standardised(pooled).double()
            weight, bias = fit_linear(standard[rows], labels[rows], loss=loss, decay=DECAY)
            for name, logits in (
                ("attention, AdamW", old(deepest[test], mask[test])),
                ("tokens, AdamW from zero", stepped),
                ("tokens, fitted", standard[test] @ weight.T + bias),
            ):
                found.setdefault(name, []).append(mean_auroc(logits, labels[test]))
        for name, values in found.items():
            print(f"{count} labels, {name}: {np.mean(values):.3f} ({', '.join(f'{value:.3f}' for value in values)})")


if __name__ == "__main__":
    main()
