"""What a training step of the recipe keeps, on shapes alone, beside stock Swin UNETR pre-training."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
SIZE, WIDTH = 96, 48


@pytest.fixture
def table(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    sys.modules.pop("memory_table", None)
    import memory_table

    from t3d.networks import window_attention

    monkeypatch.setattr(window_attention, "LEAST_TOKENS", 0)
    monkeypatch.setattr(window_attention, "TILE_BYTES", 2**62)
    return memory_table


def per_view(table, name):
    recipe = replace(table.RECIPES[name], windows=0)
    network = table.build(table.RECIPES[name], size=SIZE, width=WIDTH).train()
    whole = table.Whole(network, table.step_loss(recipe))
    each, _ = table.grown(
        whole, lambda count: table.batch_of(recipe, batch=count, size=SIZE), dtype=torch.bfloat16, first=2
    )
    return each / recipe.crops


def test_a_view_keeps_two_fifths_of_stocks_at_most(table):
    ours, stock = (per_view(table, name) for name in ("T3D without text windows", "stock Swin UNETR"))
    assert 300 < ours <= 0.4 * stock


@pytest.mark.parametrize("windows", [8, 32])
def test_text_windows_keep_one_chunk_however_many_they_are(table, windows):
    """Of the crops of 64^3, width 12: more windows, and more volumes, add their statistics alone."""
    recipe = replace(table.RECIPES["T3D"], windows=windows)
    settings = {"use_contrast": False, "use_restoration": False}
    network = table.build(recipe, size=64, width=12, **settings).train()
    loss = lambda net, inputs: net(**inputs)["volume"].sum()  # noqa: E731
    whole = table.Whole(network, loss)
    chunk = table.kept(table.Windows(network), lambda: torch.rand(4, 1, 64, 64, 64), dtype=torch.bfloat16)
    step = table.kept(whole, lambda: table.batch_of(recipe, batch=4, size=64), dtype=torch.bfloat16)
    inputs = 4 * windows * 64**3 * 4 / table.MIB
    assert step - inputs <= 1.1 * chunk
