"""The GPU check's table says what was measured, what failed and what was left out, from files that may be cut."""

import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def gpu_table(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu_table

    return gpu_table


def row(kind, step, *, crops=1, batch=8, how="", **more):
    numbers = {"step_ms": step, "crop_ms": step / (batch * crops), "peak_mib": 100, "kept_per_crop_mib": 10}
    return {"kind": kind, "batch": batch, "type": "bf16", "how": how, **numbers, **more}


def test_ratios_are_those_of_the_bars_whatever_else_was_measured(gpu_table, tmp_path):
    steps = [
        row("T3D", 1100.0, crops=10), row("T3D without text windows", 180.0, crops=2, kept_per_crop_mib=4),
        row("stock Swin UNETR", 200.0, crops=2), row("T3D, 32 text windows", 1.0, crops=34, peak_mib=120),
        row("T3D", 1.0, crops=10, text_chunk=64), row("T3D", 1.0, crops=10, how="compiled"), row("T3D", 1.0, batch=32),
        {"kind": "T3D, SegRes", "batch": 8, "type": "bf16", "how": "", "failed": "RuntimeError: a | b"},
        {"kind": "segmentation", "batch": 4, "type": "bf16", "how": "", "left_out": "85 s were over"},
        {"kind": "inference of 8x8x8", "batch": 4, "type": "bf16", "how": "", "seconds, blended on cpu": 3.0},
    ]  # fmt: skip
    runs = [
        {"part": "nccl", "status": 0, "seconds": 9, "ok": True},
        {"part": "x", "status": None, "seconds": 0, "ok": False},
    ]
    (tmp_path / "steps.jsonl").write_text("".join(json.dumps(one) + "\n" for one in steps) + '{"kind": "cut')
    (tmp_path / "runs.jsonl").write_text("".join(json.dumps(one) + "\n" for one in runs))
    (tmp_path / "card.txt").write_text("NVIDIA X\nPython 3.12\n")
    gpu_table.main(tmp_path)
    content = json.loads((tmp_path / "check.json").read_text())
    assert list(content["ratios"].values()) == [0.9, 1.1, 0.4, 1.2]
    assert content["card"] == ["NVIDIA X", "Python 3.12"] and content["steps"] == steps and content["runs"] == runs
    written = (tmp_path / "table.md").read_text()
    assert written.startswith("NVIDIA X") and "RuntimeError: a / b" in written and "text_chunk 64" in written
    assert "seconds, blended on cpu 3.0" in written and "| x | left out | 0 | **no** |" in written


def test_nothing_measured_is_a_table_too(gpu_table, tmp_path):
    gpu_table.main(tmp_path)
    assert json.loads((tmp_path / "check.json").read_text()) == {
        "card": ["unknown"], "ratios": {}, "steps": [], "runs": [],
    }  # fmt: skip
