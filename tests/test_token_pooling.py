import pytest
import torch

from t3d.errors import T3DError
from t3d.networks.token_pooling import TokenHead, pool_tokens, pool_windows
from t3d.networks.volume_classifier import VolumeClassifier


def network(**options):
    torch.manual_seed(0)
    settings = {"num_findings": 3, "feature_size": 12, "window_size": 2, "crop_size": 32, "pooling": "tokens"}
    module = VolumeClassifier(**{**settings, **options}).eval()
    if module.tokens is not None:
        torch.nn.init.normal_(module.tokens.linear.weight)
    return module


def test_pooled_windows_are_the_pooled_tokens_of_all_of_them():
    torch.manual_seed(0)
    maps = [torch.randn(2, 4, 3, 2, 2, 2), torch.randn(2, 4, 5, 1, 1, 1)]  # two volumes, four windows, two scales
    mask = torch.tensor([[True, True, False, True], [False, False, True, False]])
    windows = torch.stack([pool_tokens([one[volume] for one in maps]) for volume in range(2)])
    found = pool_windows(windows, mask)
    for volume in range(2):
        tokens = [one[volume, mask[volume]].flatten(2).transpose(0, 1).flatten(1) for one in maps]  # (C, all tokens)
        parts = [[one.mean(1), one.amax(1), one.amin(1)] for one in tokens]
        expected = torch.cat([parts[scale][part] for part in range(3) for scale in range(2)])
        assert torch.allclose(found[volume], expected, atol=1e-6)
        exact = slice(8, None)  # maxima and minima are not computed, but found
        assert torch.equal(found[volume, exact], expected[exact])


def test_standardised_features_and_their_layer_by_plain_numbers():
    head = TokenHead(4, 2)
    pooled = torch.tensor([[1.0, 2.0, 5.0, 0.0], [3.0, 2.0, 1.0, 0.0]])
    assert head.cases == 0 and torch.equal(head(pooled), torch.zeros(2, 2)), "the layer starts at zero"
    head.measure(pooled)
    assert head.cases == 2
    # a feature that never varies is 0, not a division by zero; four features of size 1 have a length of 2
    expected = torch.tensor([[-0.5, 0, 0.5, 0], [0.5, 0, -0.5, 0]])
    assert torch.allclose(head.standardised(pooled), expected)
    torch.nn.init.ones_(head.linear.bias)
    head.linear.weight.data[0, 0] = 2.0
    assert torch.allclose(head(pooled), torch.tensor([[0.0, 1.0], [2.0, 1.0]]))


@pytest.mark.parametrize(("scales", "width"), [(None, 12 + 24 + 48 + 96 + 192), ([8], 48), ([32, 2], 12 + 192)])
def test_scales_are_maps_of_the_encoder(scales, width):
    module = network(scales=scales)
    volume = torch.rand(1, 1, 40, 32, 32)
    with torch.no_grad():
        features, mask = module.window_features(volume[0, 0])
        assert features.shape[-1] == module.feature_width == 3 * width
        assert torch.allclose(module(volume), module(features, mask=mask), atol=1e-6)
        assert torch.allclose(module.pooled(features, mask=mask), pool_windows(features, mask))


def test_what_is_not_counted_does_not_speak():
    module = network()
    windows, mask = torch.rand(1, 3, 32, 32, 32), torch.tensor([[True, False, True]])
    changed = windows.clone()
    changed[0, 1] = 9.0
    with torch.no_grad():
        one, other = module(windows, mask=mask), module(changed, mask=mask)
        assert torch.equal(one, other)
        assert torch.allclose(module(windows[:, [0, 2]], mask=mask[:, [0, 2]]), one, atol=1e-5)


def test_gradients_reach_every_parameter_that_is_used():
    module = network().train()
    module(torch.rand(2, 2, 32, 32, 32), mask=torch.ones(2, 2, dtype=torch.bool)).square().sum().backward()
    assert [name for name, p in module.named_parameters() if p.grad is None] == []


def test_attention_has_the_weights_that_it_had_and_no_others():
    state = network(pooling="attention").state_dict()
    heads = {name.split(".")[0] for name in state}
    assert heads == {"swinViT", "norm", "pooling", "weight", "bias"}
    assert {name.split(".")[0] for name in network().state_dict()} == {"swinViT", "tokens"}


def test_other_encoders_have_other_maps():
    module = VolumeClassifier(num_findings=1, backbone="segres", feature_size=4, crop_size=32, pooling="tokens")
    assert module.scales == (2, 4, 8, 16) and module.feature_width == 3 * (8 + 16 + 32 + 64)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pooling": "mean"}, "pooling 'mean' is unknown; choose one of attention, tokens"),
        ({"scales": [8, 64]}, r"scales \[8, 64\]: .* strides \[2, 4, 8, 16, 32\]"),
        ({"scales": [8, 8]}, r"scales \[8, 8\]"),
    ],
)
def test_faults_are_named(options, said):
    with pytest.raises(T3DError, match=said):
        network(**options)
