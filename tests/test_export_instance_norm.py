import pytest
import torch
from monai.networks.nets import SwinUNETR
from torch import nn

from t3d.export.instance_norm import StagedInstanceNorm3d, with_staged_norms


@pytest.mark.parametrize("affine", [True, False])
def test_equals_torch(affine):
    torch.manual_seed(0)
    norm = nn.InstanceNorm3d(4, affine=affine).double()
    if affine:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    features = torch.randn(2, 4, 6, 5, 7, dtype=torch.double) * 3 + 10
    assert torch.allclose(StagedInstanceNorm3d(norm)(features), norm(features), rtol=0, atol=1e-12)


@torch.no_grad()
def test_all_norms_of_a_copy_are_replaced_and_the_network_is_left_alone():
    torch.manual_seed(0)
    network = SwinUNETR(in_channels=1, out_channels=2, feature_size=12, window_size=2).eval()
    count = sum(isinstance(layer, nn.InstanceNorm3d) for layer in network.modules())
    copied = with_staged_norms(network)
    assert count > 0 and count == sum(isinstance(layer, nn.InstanceNorm3d) for layer in network.modules())
    assert not any(isinstance(layer, nn.InstanceNorm3d) for layer in copied.modules())
    assert count == sum(isinstance(layer, StagedInstanceNorm3d) for layer in copied.modules())
    image = torch.rand(1, 1, 64, 64, 64, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(copied(image), network(image), rtol=0, atol=1e-4)


def test_running_statistics_are_kept():
    network = nn.Sequential(nn.InstanceNorm3d(2, track_running_stats=True))
    assert isinstance(with_staged_norms(network)[0], nn.InstanceNorm3d)
