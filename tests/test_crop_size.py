import pytest
import torch
from monai.networks.nets import SwinUNETR

from t3d.errors import T3DError
from t3d.networks.window_grid import check_crop_size


@pytest.mark.parametrize("size", [32, 48, 100, [64, 64, 32]])
def test_sizes_that_the_network_refuses_are_refused(size):
    with pytest.raises(T3DError, match="crop_size"):
        check_crop_size(size)


def test_the_network_refuses_what_is_refused_and_takes_the_least():
    network = SwinUNETR(in_channels=1, out_channels=2, feature_size=12, window_size=2)
    with pytest.raises(ValueError):
        network(torch.zeros(1, 1, 32, 32, 32))
    for size in (64, [96, 64, 64]):
        check_crop_size(size)
    with torch.no_grad():
        assert network(torch.zeros(1, 1, 64, 64, 64)).shape == (1, 2, 64, 64, 64)
