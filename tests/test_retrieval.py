"""Retrieval's files, with duplicate reports, on a text side that is made up."""

import csv
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from ignite.engine import Engine

from t3d.errors import T3DError
from t3d.evaluate.retrieval import Retrieval


class Texts:
    """A report is "NUMBER words": it lies on axis NUMBER; case and white space are cleaned away."""

    def __init__(self):
        self.reports = self
        self.seen = []

    def sentences(self, text, case):
        return [" ".join(text.split())]

    def __call__(self, texts, names):
        self.seen = list(texts)
        return torch.stack([torch.eye(12)[int(text.split()[0])] for text in texts])


def run(folder, reports, volumes, *, patients=None, embed=None, **options):
    items = [
        {"case_id": f"c{i}", "patient_id": (patients or range(99))[i], "report": report}
        for i, report in enumerate(reports)
    ]
    table = {f"c{i}": F.normalize(volume, dim=0)[None] for i, volume in enumerate(volumes)}
    engine = Engine(lambda engine, batch: {"pred": {"embedding": table[batch["case_id"][0]]}})
    Retrieval(output_dir=str(folder), embed=embed or Texts(), items=items, **options).attach(engine)
    engine.run([{"case_id": [item["case_id"]]} for item in items])
    return json.loads((folder / "metrics.json").read_text())


def test_perfect_volumes_are_found_and_equal_reports_are_one(tmp_path):
    texts = Texts()
    reports = [f"{n} liver" for n in range(10)] + ["3  liver", "3 liver "]
    volumes = [torch.eye(12)[int(report.split()[0])] for report in reports]
    metrics = run(tmp_path, reports, volumes, embed=texts, settings={"split": "test"})
    assert len(texts.seen) == metrics["distinct_reports"] == 10
    for direction, candidates in (("report_to_volume", 12), ("volume_to_report", 10)):
        part = metrics[direction]
        assert part["candidates"] == candidates and part["queries"] == 12
        assert part["recall@1"]["value"] == 1.0 and part["recall@1"]["interval"] == [1.0, 1.0]
        assert part["median_rank"]["value"] == 1.0
    # nine reports with one right volume of 12 each, three queries with three
    assert metrics["report_to_volume"]["recall@1"]["chance"] == pytest.approx((9 * 1 / 12 + 3 * 3 / 12) / 12)
    assert metrics["volume_to_report"]["recall@5"]["chance"] == pytest.approx(0.5)
    assert metrics["settings"] == {"split": "test"}
    assert (tmp_path / "metrics.png").stat().st_size > 1000


def test_ranks_equal_a_plain_loop(tmp_path):
    random = np.random.default_rng(0)
    volumes = [torch.tensor(random.normal(size=12)).float() for _ in range(8)]
    metrics = run(tmp_path, [f"{n} spleen" for n in range(8)], volumes)
    unit = [F.normalize(volume, dim=0) for volume in volumes]
    with open(tmp_path / "ranks.csv") as file:
        rows = list(csv.DictReader(file))
    for i, row in enumerate(rows):
        assert row["case_id"] == f"c{i}"
        assert float(row["report_to_volume_rank"]) == 1 + sum(bool(unit[j][i] > unit[i][i]) for j in range(8))
        assert float(row["volume_to_report_rank"]) == 1 + sum(bool(unit[i][j] > unit[i][i]) for j in range(8))
    ranks = [float(row["volume_to_report_rank"]) for row in rows]
    assert metrics["volume_to_report"]["median_rank"]["value"] == np.median(ranks)
    assert metrics["volume_to_report"]["recall@1"]["value"] == np.mean([rank <= 1 for rank in ranks])


def test_intervals_are_by_patient(tmp_path):
    volumes = [torch.eye(12)[n if n < 6 else n - 6] for n in range(12)]
    reports = [f"{n} kidney" for n in range(12)]
    single = run(tmp_path / "a", reports, volumes)
    paired = run(tmp_path / "b", reports, volumes, patients=[n // 6 for n in range(12)])
    assert paired["patients"] == 2
    assert paired["volume_to_report"]["recall@1"]["value"] == single["volume_to_report"]["recall@1"]["value"] == 0.5
    assert paired["volume_to_report"]["recall@1"]["interval"] == [0.0, 1.0]
    assert single["volume_to_report"]["recall@1"]["interval"][0] > 0.0


def test_other_studies_of_the_patient_are_no_rivals(tmp_path):
    """Of two studies of p0 each looks like the other's report; the third case is found by nothing else."""
    volumes = [torch.eye(12)[1] + 0.5 * torch.eye(12)[0], torch.eye(12)[0], torch.eye(12)[2]]
    reports = ["0 kidney", "1 kidney", "2 kidney"]
    apart = run(tmp_path / "a", reports, volumes, patients=["p0", "p1", "p2"])
    paired = run(tmp_path / "b", reports, volumes, patients=["p0", "p0", "p2"])
    for direction in ("report_to_volume", "volume_to_report"):
        assert apart[direction]["recall@1"]["value"] < 1 / 2
        # c1's embedding says nothing of report 1, which ties with report 2: half a hit of three
        assert paired[direction]["recall@1"]["value"] == pytest.approx(2.5 / 3)
        assert paired[direction]["recall@1"]["chance"] == pytest.approx((1 / 2 + 1 / 2 + 1 / 3) / 3)


def test_a_report_that_the_patient_shares_with_others_is_no_rival_either(tmp_path):
    """p0's second study says what p2's does, word for word: it may be true of the first one, too."""
    volumes = [torch.eye(12)[1] + 0.5 * torch.eye(12)[0], torch.eye(12)[1], torch.eye(12)[1]]
    metrics = run(tmp_path, ["0 liver", "1 liver", "1 liver"], volumes, patients=["p0", "p0", "p2"])
    assert metrics["volume_to_report"]["recall@1"]["value"] == 1.0
    # report 0 still has p2's volume beside it, which it finds less alike
    assert metrics["report_to_volume"]["recall@1"]["value"] == 1.0


def test_no_report_text_in_the_results(tmp_path):
    run(tmp_path, ["0 jejunum", "1 duodenum"], [torch.eye(12)[0], torch.eye(12)[1]])
    for file in tmp_path.iterdir():
        assert b"jejunum" not in file.read_bytes() and b"duodenum" not in file.read_bytes()


def test_faults_are_named(tmp_path):
    volumes = [torch.eye(12)[0]] * 2
    with pytest.raises(T3DError, match="case c1 has no report"):
        run(tmp_path, ["0 x", " "], volumes)
    with pytest.raises(T3DError, match="2 cases have 1 distinct report"):
        run(tmp_path, ["0 x", "0 x"], volumes)
    assert not list(tmp_path.iterdir())
    run(tmp_path, ["0 x", "1 x"], volumes)
    with pytest.raises(T3DError, match="--overwrite True"):
        run(tmp_path, ["0 x", "1 x"], volumes)
