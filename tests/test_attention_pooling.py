import math

import torch

from t3d.networks.attention_pooling import AttentionPooling


def pooling(width=3, findings=2, hidden=4):
    torch.manual_seed(0)
    module = AttentionPooling(width, findings, hidden=hidden)
    torch.nn.init.normal_(module.weigh.weight)
    return module


def test_training_starts_from_the_mean_of_the_counted_windows():
    module = AttentionPooling(3, 2, hidden=4)
    features = torch.arange(12.0).reshape(1, 4, 3)
    mask = torch.tensor([[True, False, True, False]])
    pooled, weights = module(features, mask)
    assert torch.allclose(pooled[0], features[0, [0, 2]].mean(0).expand(2, 3))
    assert weights.tolist() == [[[0.5, 0, 0.5, 0]] * 2]


def test_weights_by_plain_loops():
    module = pooling()
    features = torch.randn(2, 5, 3)
    mask = torch.tensor([[True] * 5, [True, True, False, False, True]])
    pooled, weights = module(features, mask)
    for b in range(2):
        for f in range(2):
            energies = []
            for w in range(5):
                h = features[b, w]
                gates = [
                    math.tanh(float(module.look.weight[k] @ h + module.look.bias[k]))
                    / (1 + math.exp(-float(module.gate.weight[k] @ h + module.gate.bias[k])))
                    for k in range(4)
                ]
                energies.append(sum(float(module.weigh.weight[f, k]) * gates[k] for k in range(4)))
            raised = [math.exp(e) if mask[b, w] else 0.0 for w, e in enumerate(energies)]
            expected = torch.tensor(raised) / sum(raised)
            assert torch.allclose(weights[b, f], expected, atol=1e-6)
            assert torch.allclose(pooled[b, f], expected @ features[b], atol=1e-5)


def test_the_order_of_windows_is_no_matter():
    module = pooling()
    features, mask, order = torch.randn(1, 6, 3), torch.ones(1, 6, dtype=torch.bool), torch.randperm(6)
    one, other = module(features, mask)[0], module(features[:, order], mask)[0]
    assert torch.allclose(one, other, atol=1e-6)
