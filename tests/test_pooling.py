import pytest
import torch

from t3d.errors import T3DError
from t3d.networks.pooling import Pooling


def test_windows_pool_to_what_all_their_tokens_pool_to():
    tokens = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mask = torch.tensor([[True, False, True], [True, True, True]])
    pooling = Pooling(("mean", "max", "min"))
    found = pooling.windows(pooling.tokens(tokens), mask)
    for row in range(2):
        every = tokens[row, mask[row]].flatten(0, 1)
        expected = torch.cat([every.mean(dim=0), every.amax(dim=0), every.amin(dim=0)])
        torch.testing.assert_close(found[row], expected)
    nothing = pooling.windows(pooling.tokens(tokens), torch.zeros(2, 3, dtype=torch.bool))
    torch.testing.assert_close(nothing, pooling.windows(pooling.tokens(tokens)))


def test_the_order_is_that_of_the_kinds():
    tokens = torch.tensor([[1.0], [3.0], [8.0]])
    assert Pooling(("min", "mean")).tokens(tokens).tolist() == [1.0, 4.0]
    assert Pooling("max").tokens(tokens).tolist() == [8.0]
    assert torch.equal(Pooling(("max", "mean")).tokens(tokens[:1]), Pooling(("max", "mean")).single(tokens[0]))
    assert Pooling("mean").tokens(tokens.bfloat16()).dtype is torch.float32


@pytest.mark.parametrize("kinds", [(), ("mean", "mean"), ("median",)])
def test_other_kinds_are_refused(kinds):
    with pytest.raises(T3DError, match="mean, max, min"):
        Pooling(kinds)
