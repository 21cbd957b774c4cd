"""Reports and patient identifiers stay in the datalist: all that runs leave behind is searched for them.

Where a patient identifier is meant to be is listed in ``ALLOWED``. A single word of reports may stand in a vocabulary;
their sentences may not be anywhere, nor words that only one patient's report has.
"""

import gzip
import io
import json
import pickle
import zipfile
import zlib
from pathlib import Path

import classification_runs
import pretrain_runs
import pytest
import segmentation_runs
import torch
from monai.bundle import ConfigWorkflow
from monai.transforms import Compose
from safetensors.torch import load_file

from t3d.bundle.report_side import ReportSide
from t3d.cli import main
from t3d.data.datalist import load_datalist
from t3d.demo.tiny_bert import tiny_bert
from t3d.reports.sentences import split_sentences
from t3d.reports.tokens import report_number

# file name -> why a patient identifier may stand there
ALLOWED = {
    "metrics.json": "results per case, whose intervals are over patients",
    "metrics.csv": "the same as a table",
}


def marked(cohort: Path, folder: Path, keep: dict[str, int]) -> tuple[Path, list[bytes], list[bytes]]:
    """A copy of a cohort whose reports and patients are recognisable; secrets of reports, and of patients."""
    folder.mkdir()
    lists = json.loads((cohort / "datalist.json").read_text())
    names: dict[str, str] = {}
    texts = []
    for split, count in keep.items():
        lists[split] = lists[split][:count]
        for item in lists[split]:
            name = names.setdefault(item["patient_id"], f"zq{len(names):02d}vx")
            item["patient_id"] = f"PATIENT-{name}-1970"
            item["report"] += f"\nMister {name}surname was told of {name}pathy by telephone."
            texts += [sentence for sentence in split_sentences(item["report"]) if len(sentence.split()) >= 4]
            for key in ("image", "label"):
                item[key] = str(cohort / item[key])
    (folder / "datalist.json").write_text(json.dumps(lists))
    words = [f"{name}{end}".encode() for name in names.values() for end in ("surname", "pathy")]
    return folder, [text.encode() for text in texts] + words, [f"PATIENT-{name}".encode() for name in names.values()]


def layers(content: bytes):
    """A file's bytes, and what is packed in them."""
    yield content
    if content[:2] == b"\x1f\x8b":
        yield gzip.decompress(content)
    elif content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(content)) as members:
            for name in members.namelist():
                yield from layers(members.read(name))
    elif content[:8] == b"\x89PNG\r\n\x1a\n":
        place = 8
        while place < len(content):
            size, kind = int.from_bytes(content[place : place + 4], "big"), content[place + 4 : place + 8]
            chunk = content[place + 8 : place + 8 + size]
            if kind in (b"zTXt", b"iTXt"):
                for start in range(len(chunk)):
                    try:
                        yield zlib.decompress(chunk[start:])
                    except zlib.error:
                        continue
            place += 12 + size


def found(content: bytes, secrets: list[bytes]) -> list[bytes]:
    """Secrets in some bytes, in any case and as UTF-16 too."""
    seen: dict[bytes, None] = {}
    for layer in layers(content):
        lower = layer.lower()
        # joined words, as a JSON dump with escapes or a wrapped log line would show them
        for secret in secrets:
            low = secret.lower()
            if low in lower or low.decode().encode("utf-16-le") in lower:
                seen[secret] = None
    return list(seen)


def search(folder: Path, reports: list[bytes], patients: list[bytes]) -> list[str]:
    """Files that tell, and what they tell."""
    told = []
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = file.read_bytes()
        secrets = reports if file.name in ALLOWED else reports + patients
        told += [f"{file.relative_to(folder)}: {secret.decode()}" for secret in found(content, secrets)[:3]]
        told += [f"{file.relative_to(folder)}: its name" for secret in patients if secret in str(file.name).encode()]
    return told


def infer_pretrained(cohort: Path, folder: Path) -> None:
    """Features of the test list."""
    workflow = ConfigWorkflow(
        config_file=pretrain_runs.config_files("inference"), workflow_type="inference", logging_file=False,
        **pretrain_runs.places(cohort, folder), overwrite=True,
    )  # fmt: skip
    workflow.initialize()
    workflow.run()


def pretraining(cohort: Path, folder: Path) -> None:
    pretrain_runs.run(("train", "demo", "align"), cohort, folder, max_epochs=1)
    pretrain_runs.run(("train", "demo", "align", "evaluate"), cohort, folder)
    infer_pretrained(cohort, folder)


def segmentation(cohort: Path, folder: Path) -> None:
    segmentation_runs.run(segmentation_runs.NAMES, cohort, folder, max_epochs=1)
    segmentation_runs.run((*segmentation_runs.NAMES, "evaluate"), cohort, folder, overwrite=True)


def classification(cohort: Path, folder: Path) -> None:
    classification_runs.run(("train", "demo"), cohort, folder, max_epochs=1)
    classification_runs.run(("train", "demo", "evaluate"), cohort, folder, overwrite=True)


def commands(cohort: Path, folder: Path) -> None:
    """The store, the check and its pictures, the counts of reports."""
    datalist = str(cohort / "datalist.json")
    main(["check", datalist, "--json", str(folder / "check.json"), "--sheet", str(folder / "pages")])
    main(["reports", datalist, "--out_file", str(folder / "reports.json")])
    main(["prepare", datalist, "--out_dir", str(folder / "store"), "--spacing", "12"])
    # the prepared datalist is a datalist: it holds what the raw one holds
    (folder / "store" / "datalist.json").unlink()


RUNS = {
    "pretraining": pretraining,
    "segmentation": segmentation,
    "classification": classification,
    "commands": commands,
}


KEEP = {
    "pretraining": {"training": 6, "validation": 2, "test": 2},
    "segmentation": {"training": 2, "validation": 1, "test": 1},
    "classification": {"training": 17, "validation": 2, "test": 2},
    "commands": {"training": 3, "validation": 1, "test": 1},
}


# where the results do name patients
MEANT = {
    "pretraining": [],
    "segmentation": ["metrics.csv", "metrics.json"],
    "classification": ["metrics.json"],
    "commands": [],
}


@pytest.mark.parametrize("name", RUNS)
def test_nothing_that_a_run_leaves_behind_tells(name, cohort, tmp_path, capfd, caplog):
    caplog.set_level("DEBUG")
    data, reports, patients = marked(cohort, tmp_path / "data", KEEP[name])
    out = tmp_path / "out"
    out.mkdir()
    RUNS[name](data, out)
    shown = capfd.readouterr()
    console = f"{shown.out}\n{shown.err}\n{caplog.text}".encode()
    assert found(console, reports + patients) == []
    assert search(out, reports, patients) == []
    kinds = {file.suffix for file in out.rglob("*") if file.is_file()}
    assert {"commands": {".b2nd", ".png"}}.get(name, {".pt", ".json"}) <= kinds
    # the search sees what there is
    told = [file.name for file in out.rglob("metrics.*") if found(file.read_bytes(), patients)]
    assert sorted(told) == MEANT[name]
    assert found(json.dumps(json.loads((data / "datalist.json").read_text())).encode(), patients)


def test_sentences_and_what_workers_get_of_them_tell_nothing(cohort, tmp_path, capfd, caplog):
    caplog.set_level("DEBUG")
    data, reports, patients = marked(cohort, tmp_path / "data", {"training": 6, "validation": 1, "test": 1})
    items = load_datalist(data / "datalist.json", "training")
    encoder = tiny_bert(tmp_path / "encoder", [item["report"] for item in items], width=32, heads=2, max_tokens=512)
    out = tmp_path / "out"
    side = ReportSide(
        use_text=True, report_cache=True, text_encoder=encoder, cache_dir=out / "features", use_sentences=True
    )
    side.precompute(items)
    prepared = [Compose(side.steps)(item) for item in items]
    torch.save(side.text_scale(items)._asdict(), out / "text_scale.pt")
    torch.save(
        [{key: item[key] for key in ("said", "said_mask", "said_weight")} for item in prepared], out / "said.pt"
    )
    (out / "worker.pickle").write_bytes(pickle.dumps(side.sentences))
    shown = capfd.readouterr()
    assert found(f"{shown.out}{shown.err}{caplog.text}".encode(), reports + patients) == []
    sentences = [secret for secret in reports if b" " in secret]  # single words stand in the worker's vocabulary
    assert search(out, sentences, patients) == []
    (out / "worker.pickle").unlink()
    assert search(out, reports, patients) == []
    files = list((out / "features" / "sentences").rglob("*.safetensors"))
    assert len(files) == len({item["report"] for item in items})
    for file in files:
        tensors = load_file(file)
        assert {name: value.dtype for name, value in tensors.items()} == {
            "features": torch.float32, "number": torch.int64, "known": torch.bool,
        }  # fmt: skip
        # neither token ids, one number a sentence, nor a checksum of the text alone
        assert tensors["number"].shape == tensors["known"].shape == tensors["features"].shape[:1]
        assert not {int(number) for number in tensors["number"]} & {report_number([s.decode()]) for s in sentences}


def test_the_search_finds_what_is_hidden():
    secret = [b"Mister zq00vx"]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("data.pkl", b"..mister ZQ00VX..")
    text = zlib.compress(b"Mister zq00vx")
    chunk = b"Title\0\0" + text
    png = b"\x89PNG\r\n\x1a\n" + len(chunk).to_bytes(4, "big") + b"zTXt" + chunk + b"\0\0\0\0"
    hidden = [
        b"a Mister zq00vx",
        gzip.compress(b"Mister zq00vx"),
        packed.getvalue(),
        png,
        "Mister zq00vx".encode("utf-16"),
    ]
    assert [found(content, secret) for content in hidden] == [secret] * 5
    assert found(b"Mister zq01vx", secret) == []


def test_the_header_of_a_dicom_series_is_not_passed_on(tmp_path, capfd):
    pytest.importorskip("pydicom")
    from dicom_writer import ct, write_series

    write_series(tmp_path / "data" / "scan", ct((24, 24, 12)), PatientID="PATIENT-77", StudyDescription="Mister Smith")
    cases = {"training": [{"case_id": "k0", "image": "scan"}]}
    datalist = tmp_path / "data" / "datalist.json"
    datalist.write_text(json.dumps(cases))
    out = tmp_path / "out"
    main(["check", str(datalist), "--json", str(out / "check.json"), "--sheet", str(out / "pages")])
    main(["prepare", str(datalist), "--out_dir", str(out / "store"), "--spacing", "2"])
    secrets = [b"Secret^Person", b"PATIENT-77", b"Mister Smith"]
    assert search(tmp_path / "data", [], secrets) and list(out.rglob("*.b2nd")) and list(out.rglob("*.png"))
    shown = capfd.readouterr()
    assert search(out, [], secrets) == [] and found(f"{shown.out}{shown.err}".encode(), secrets) == []
