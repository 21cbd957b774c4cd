"""Datalists spoiled by chance: each case is used, or named in one sentence, and none goes away in silence."""

import hashlib
import json
import logging
import os
from functools import partial

import nibabel as nib
import numpy as np
import pytest

from t3d.check.cohort import check_cohort
from t3d.check.summary import summary_json, summary_text
from t3d.data.datalist import SPLITS, check_headers, load_datalist
from t3d.data.findings import finding_names, labelled
from t3d.data.inference_cases import find_cases
from t3d.errors import SHOWN_FAULTS, T3DError
from t3d.files import json_bytes
from t3d.prepare.cohort import prepare_cohort
from t3d.reports.command import reports
from t3d.volume.listed import is_prepared
from t3d.volume.load import LoadVolumed

# The first of them run in every test run; T3D_MUTATIONS=200 tries more.
COUNT = int(os.environ.get("T3D_MUTATIONS", "24"))
REFUSED = ("make it an object with case_id", "has no case_id", "has no image")
SECRET = "Unmentionable"
VALUES = [
    None, True, False, 0, -1, 3, 0.5, 10**30, 1e300, float("nan"), float("inf"), "", " ", "\n", "\0", "\ud83d",
    "k0", "k1", "p0", "a" * 5000, "\u202e\u200b", "..", ".", "/", "~", "~nobody-here/k0.nii.gz", "k0.nii.gz",
    "images/k1.nii.gz",
    "./images/../images/k2.nii.gz", "images\\k0.nii.gz",
    "C:\\data\\k0.nii.gz", "\\\\server\\k0.nii.gz",
    "/none/k0.nii.gz",
    "../../k0.nii.gz", "file:///images/k0.nii.gz", "https://example.org/k0.nii.gz", "images", "datalist.json",
    "images/k0.nii.gz ", "IMAGES/K0.NII.GZ", [], {}, [[]], [None], ["images/k0.nii.gz"], [[[[[]]]]], {"a": {"b": {}}},
    {"nodule": 1}, {"nodule": "1"}, {"nodule": float("nan")}, {"nodule": 10**400}, {"": 1}, {"nodule": [1]},
    {"nodule": True},
    "Some words.", "FINDINGS:", "FINDINGS: \u202e\u0000 IMPRESSION:", "2024-01-01", "%s {0}", "$import os", "@image",
]  # fmt: skip
KEYS = ("case_id", "patient_id", "image", "label", "report", "findings")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Volumes for all the lists."""
    folder = tmp_path_factory.mktemp("cohort")
    (folder / "images").mkdir()
    for n in range(5):
        values = np.random.default_rng(n).normal(0, 40, (12, 10, 8)) - 1000
        values[2:-2, 2:-2, 2:-2] += 1040
        nib.save(nib.Nifti1Image(values.astype(np.int16), np.diag([-2.0, -2, 3, 1])), folder / f"images/k{n}.nii.gz")
    return folder


def sound() -> dict:
    items = [
        {
            "case_id": f"k{n}",
            "patient_id": f"p{n}",
            "image": f"images/k{n}.nii.gz",
            "report": f"FINDINGS: {SECRET} is well, sentence number {n}. IMPRESSION: Normal chest {n}.",
            "findings": {"nodule": n % 2, "cyst": None},
        }
        for n in range(5)
    ]
    return {"training": items[:3], "validation": items[3:4], "test": items[4:]}


def spoil(lists, rng) -> None:
    """One change of a list."""

    def pick(among):
        return among[rng.integers(len(among))]

    name = pick(SPLITS)
    items = lists.get(name)
    kind = rng.integers(10)
    if kind == 0:
        lists[name] = pick(VALUES)
    elif kind == 1:
        lists[pick(("prepared", "Training", "numTraining", ""))] = pick(VALUES)
    elif not isinstance(items, list) or not items:
        return
    elif kind == 2:
        items.append(pick(VALUES))
    elif kind == 3:
        other = pick(SPLITS)
        lists[other] = [*lists[other], pick(items)] if isinstance(lists.get(other), list) else [pick(items)]
    elif isinstance(item := pick(items), dict):
        key = pick(KEYS)
        if kind == 4:
            item.pop(key, None)
        elif kind == 5 and key in item:
            item[pick((key.upper(), key + " ", " " + key))] = item.pop(key)
        elif kind == 6 and isinstance(item.get("findings"), dict):
            item["findings"][pick(("nodule", "cyst", "", "new"))] = pick(VALUES)
        else:
            item[key] = pick(VALUES)


def respell(content: bytes, rng) -> bytes:
    """One change of the file's bytes."""
    text = content.decode()
    cut = int(rng.integers(len(content)))
    byte = bytearray(content)
    byte[cut] = rng.integers(256)
    forms = [
        b"\xef\xbb\xbf" + content,
        text.encode("utf-16"),
        text.encode("utf-32"),
        text.replace("Normal", "\u00dcblich").encode("latin-1"),
        text.replace("Normal", "\u00dcblich").encode("utf-8"),
        content[:cut],
        bytes(byte),
        content + b"}",
        content + b"\0" * 5,
        b"",
        b" \n",
        b"[" * 100000,
        b'{"training": ' + b"[" * 3000 + b"]" * 3000 + b"}",
        content.replace(b'"', b"'"),
        content.replace(b"}]", b"},]"),
        content.replace(b"{", b"{\r\n").replace(b",", b",\r"),
        b"// cases\n" + content,
        content.replace(b'"case_id"', b'"case_id": "k0", "case_id"', 1),
        content.replace(b'"training"', b'"training": [], "training"', 1),
        content.replace(b'"validation"', b'"training"', 1),
        content.replace(b'"k0"', b"1" * 5000, 1),
        content.replace(b'"p0"', b"NaN", 1),
        content.replace(b'"p0"', b"-Infinity", 1),
        content.replace(b'"k0"', b"1e999", 1),
        b'{"' + b"a" * 10**6 + b'": 1}',
    ]
    return forms[rng.integers(len(forms))]


def state(folder):
    return {file: hashlib.sha256(file.read_bytes()).digest() for file in folder.rglob("*") if file.is_file()}


def tried(call, *, file="", long=SHOWN_FAULTS + 2):
    """What a call gives, or None where it was refused in readable words."""
    try:
        return call()
    except T3DError as error:
        message = str(error)
        assert message and file in message and len(message.splitlines()) <= long and len(message) < 60000, message
        assert SECRET not in message and "Traceback" not in message and "object at 0x" not in message
        return None


@pytest.mark.parametrize("seed", range(COUNT))
def test_mutated_datalists(folder, tmp_path, seed, caplog, capsys):
    rng = np.random.default_rng(seed)
    lists = sound()
    for _ in range(rng.integers(1, 4)):
        spoil(lists, rng)
    content = json.dumps(lists).encode()
    if rng.random() < 0.4:
        content = respell(content, rng)
    file = folder / "datalist.json"
    file.write_bytes(content)
    before = state(folder)
    caplog.set_level(logging.DEBUG, "t3d")
    try:
        listed = json.loads(content.decode("utf-8-sig"))
        counts = {name: len(listed[name]) for name in SPLITS if listed.get(name)}
    except (ValueError, RecursionError, TypeError, AttributeError):
        counts = None
    checked = tried(partial(check_cohort, file, fast=bool(seed % 2)))
    if counts is None:
        assert checked is None
    if checked is not None:
        refused = sum(any(words in remark.what for words in REFUSED) for remark in checked.remarks)
        assert sum(checked.counts.values()) + refused == sum(counts.values())
        json_bytes(summary_json(checked, file.name, fast=True))
        assert SECRET not in summary_text(checked, file.name, fast=True)
        assert all("\n" not in remark.what for remark in checked.remarks)
    for split in SPLITS:
        for need_report in (True, False):
            items = tried(partial(load_datalist, file, split, need_report=need_report))
            if items is None:
                continue
            assert len(items) == counts[split]
            assert all(not need_report or item["report"].strip() for item in items)
            tried(partial(check_headers, items))
            for item in items:
                tried(partial(LoadVolumed("image"), item))
            names = tried(partial(finding_names, datalist_file=file))
            rows = names and tried(partial(labelled, items, names))
            assert not rows or all(len(row["label"]) == len(names) for row in rows)
    tried(partial(find_cases, folder))
    tried(partial(is_prepared, file, spacing=(1, 1, 1), orientation="RAS"))
    tried(partial(reports, str(file)))
    outcome = tried(partial(prepare_cohort, file, tmp_path / "out", spacing=(4, 4, 6)))
    if outcome is not None:
        assert len(outcome.prepared) + len(outcome.failed) == sum(counts.values())
        written = json.loads((tmp_path / "out/datalist.json").read_text())
        assert sum(len(written[name]) for name in SPLITS if name in written) == len(outcome.prepared)
    assert SECRET not in caplog.text + capsys.readouterr().out
    assert state(folder) == before
