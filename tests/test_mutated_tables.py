"""Label tables, prompts and CSV tables spoiled by chance: a right result or one sentence that names the file."""

import json
import os
from functools import partial

import numpy as np
import pytest
from test_mutated_datalists import respell, tried

from t3d.cohorts.csv_table import collect
from t3d.reports.prompts import read_prompts
from t3d.volume.label_table import read_label_table

COUNT = int(os.environ.get("T3D_MUTATIONS", "24"))
VALUES = [
    None, True, 0, -1, 1, 2, 255, 65535, 65536, 1.0, 0.5, 1e300, float("nan"), 10**30, "", "1", "liver", " ",
    [], [1], [1, 1],
    [1, [2]], [True], ["1"], {}, {"0": "background", "1": "liver"}, {"liver": 1}, {"positive": ["There."]}, "\ud83d",
    "a/b",
    {"positive": ["There."], "negative": ["Not there."]}, {"positive": "There.", "negative": [""]}, "a" * 5000,
]  # fmt: skip
NAMES = ("background", "liver", "Liver", "", " ", "a,b", "ignore", "labels", "findings", "lung-nodule", "0", "\u200b")


def spoil(table, rng) -> None:
    name, value = NAMES[rng.integers(len(NAMES))], VALUES[rng.integers(len(VALUES))]
    inner = table.get("labels", table.get("findings", table))
    inner = inner if isinstance(inner, dict) and rng.random() < 0.8 else table
    if rng.random() < 0.2 and inner:
        inner.pop(list(inner)[rng.integers(len(inner))])
    else:
        inner[name] = value


def write(file, content, rng) -> None:
    for _ in range(rng.integers(1, 4)):
        spoil(content, rng)
    data = json.dumps(content).encode()
    file.write_bytes(respell(data, rng) if rng.random() < 0.3 else data)


@pytest.mark.parametrize("seed", range(COUNT))
def test_mutated_label_tables(tmp_path, seed):
    rng = np.random.default_rng(seed)
    forms = [
        {"background": 0, "liver": 1, "kidneys": [2, 3]},
        {"labels": {"background": 0, "liver": 1}, "file_ending": ".nii.gz"},
        {"labels": {"0": "background", "1": "liver"}},
    ]
    file = tmp_path / "labels.json"
    write(file, forms[seed % 3], rng)
    before = file.read_bytes()
    table = tried(partial(read_label_table, file), file="labels.json")
    if table is not None:
        listed = [value for values in table.values() for value in values]
        assert next(iter(table)) == "background" and len(set(listed)) == len(listed) and len(table) > 1
        assert all(type(value) is int and 0 <= value <= 65535 for value in listed)
    assert file.read_bytes() == before


@pytest.mark.parametrize("seed", range(COUNT))
def test_mutated_prompts(tmp_path, seed):
    rng = np.random.default_rng(seed)
    file = tmp_path / "prompts.json"
    write(file, {"findings": {"lung_nodule": {"positive": ["There."], "negative": ["Not there."]}}}, rng)
    before = file.read_bytes()
    pairs = tried(partial(read_prompts, file), file="prompts.json")
    if pairs is not None:
        assert pairs and all(name and pair.positive and pair.negative for name, pair in pairs.items())
    assert file.read_bytes() == before


@pytest.mark.parametrize("seed", range(COUNT))
def test_mutated_csv_tables(tmp_path, seed):
    rng = np.random.default_rng(seed)
    rows = [["image", "report", "nodule", "split"]]
    rows += [[f"k{n}.nii.gz", f"Report, {n}.\nNormal.", n % 2, "train"] for n in range(3)]
    cells = [
        "",
        '"',
        "a,b",
        "a;b",
        "\n",
        "\t",
        "nan",
        "2",
        "-1",
        "1.0",
        "1e999",
        "test",
        "Train ",
        "\u00fc",
        "'",
        "../k",
    ]
    cells.append("x" * 200000)
    for _ in range(rng.integers(1, 4)):
        row = rows[rng.integers(len(rows))]
        if rng.random() < 0.2:
            row.append(cells[rng.integers(len(cells))])
        elif rng.random() < 0.2 and row:
            row.pop()
        elif row:
            row[rng.integers(len(row))] = cells[rng.integers(len(cells))]
    sign = ",;\t"[rng.integers(3)]
    quote = (lambda cell: '"' + str(cell).replace('"', '""') + '"') if rng.random() < 0.7 else str
    text = ("\r\n", "\n", "\r")[rng.integers(3)].join(sign.join(map(quote, row)) for row in rows)
    file = tmp_path / ("table.tsv" if sign == "\t" else "table.csv")
    data = text.encode(("utf-8", "utf-8-sig", "latin-1", "utf-16")[rng.integers(4)])
    file.write_bytes(data + b"\0" * int(rng.random() < 0.1))
    before = file.read_bytes()
    found = tried(
        partial(collect, tmp_path, table=file.name, report_column="report", findings_columns="nodule",
                split_column="split"),
        file=file.name,
    )  # fmt: skip
    assert found is None or found.lists
    assert file.read_bytes() == before
