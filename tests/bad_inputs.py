"""Faults of a cohort as users bring them: how each is made, and what each command has to say of it.

A row's ``make`` spoils case k0 of a sound cohort: it gets the folder and the lists, and may change both.
"""

import gzip
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np

AFFINE = np.diag([-2.0, -2, 3, 1])


def ct(seed=0, shape=(16, 18, 20)) -> np.ndarray:
    values = np.random.default_rng(seed).normal(0, 40, shape) - 1000
    values[3:-3, 3:-3, 3:-3] += 1040
    return values.astype(np.int16)


@dataclass
class Row:
    """A fault; ``says`` is command -> words. Commands: list, header, load, check, fast, labels, prepare, series."""

    make: Callable[[Path, dict], object]
    says: dict[str, tuple[str, ...]] = field(default_factory=dict)


def first(lists) -> dict:
    return lists["training"][0]


def path(folder) -> Path:
    return folder / "k0.nii.gz"


def image(make) -> Callable:
    """The image of k0 is replaced by make(values) with the usual affine."""
    return lambda folder, lists: nib.save(nib.Nifti1Image(make(ct()), AFFINE), path(folder))


def label(make) -> Callable:
    return lambda f, lists: nib.save(nib.Nifti1Image(make((ct() > 0).astype(np.uint8)), AFFINE), f / "k0_label.nii.gz")


def affine(matrix) -> Callable:
    """Image and label get another affine."""

    def make(folder, lists):
        for name in ("k0", "k0_label"):
            data = np.asarray(nib.load(folder / f"{name}.nii.gz").dataobj)
            nib.save(nib.Nifti1Image(data, np.array(matrix, dtype=float)), folder / f"{name}.nii.gz")

    return make


def header(offset, form, *values) -> Callable:
    """Bytes of the image's header are overwritten."""

    def make(folder, lists):
        data = bytearray(gzip.decompress(path(folder).read_bytes()))
        struct.pack_into(form, data, offset, *values)
        path(folder).write_bytes(gzip.compress(bytes(data)))

    return make


def entry(**change) -> Callable:
    return lambda folder, lists: first(lists).update(change)


def text(change) -> Callable:
    """The datalist's bytes are changed after it was written; see ``after`` in the test."""
    return lambda folder, lists: lists.update({"__bytes__": change})


def colour(values) -> np.ndarray:
    rgb = np.zeros(values.shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    rgb["R"] = 7
    return rgb


def with_value(value, kind=np.float32):
    def make(values):
        values = values.astype(kind)
        values[4, 4, 4] = value
        return values

    return make


def loop(folder, lists):
    path(folder).unlink()
    path(folder).symlink_to("other.nii.gz")
    (folder / "other.nii.gz").symlink_to("k0.nii.gz")


def series(*, two=False, **options) -> Callable:
    """The image of k0 is a DICOM folder."""

    def make(folder, lists):
        from dicom_writer import write_series

        write_series(folder / "scan", ct(shape=(12, 10, 6)) // 2 * 2, **options)
        if two:
            write_series(folder / "scan", ct(shape=(12, 10, 6)) // 2 * 2, prefix="other")
        first(lists).update(image="scan", label=None)

    return make


def compressed(folder, lists):
    """JPEG 2000, which needs a codec that few installations have."""
    import pydicom

    series()(folder, lists)
    for file in (folder / "scan").iterdir():
        data = pydicom.dcmread(file)
        data.file_meta.TransferSyntaxUID = pydicom.uid.JPEG2000Lossless
        data.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51" + b"\0" * 60])
        data.save_as(file)


def named(name: str, content: bytes) -> Callable:
    """The image of k0 is a file of another kind."""

    def make(folder, lists):
        (folder / name).write_bytes(content)
        first(lists).update(image=name, label=None)

    return make


def cut_slice(folder, lists):
    series()(folder, lists)
    file = sorted((folder / "scan").iterdir())[2]
    file.write_bytes(file.read_bytes()[:-50])


def move_slice(scan):
    import pydicom

    file = next(file for file in scan.iterdir() if file.stem.endswith("003"))
    data = pydicom.dcmread(file)
    data.ImagePositionPatient = [data.ImagePositionPatient[0] + 30, *data.ImagePositionPatient[1:]]
    data.save_as(file)


def no_size(scan):
    import pydicom

    file = sorted(scan.iterdir())[1]
    data = pydicom.dcmread(file)
    del data.Rows
    data.save_as(file)


def one_slice(folder, lists):
    series()(folder, lists)
    first(lists).update(image=f"scan/{sorted((folder / 'scan').iterdir())[0].name}")


def everywhere(*words, but=()) -> dict:
    commands = ("load", "check", "prepare")
    return {command: words for command in commands if command not in but}


def anywhere(*words) -> dict:
    return {**everywhere(*words), **dict.fromkeys(("fast", "header"), words)}


READ = ("case k0", "cannot be read", "again")
ROWS = {
    # files
    "truncated gz": Row(lambda f, d: path(f).write_bytes(path(f).read_bytes()[:3000]), everywhere(*READ)),
    "wrong magic": Row(header(344, "4s", b"oops"), everywhere("case k0", but=("prepare",))),
    "not an image": Row(lambda f, d: path(f).write_text("Dear colleague, the scan is attached."), everywhere(*READ)),
    "zero bytes": Row(lambda f, d: path(f).write_bytes(b""), {"list": ("case k0", "0 bytes"), "check": ("0 bytes",)}),
    "header only": Row(
        lambda f, d: path(f).write_bytes(gzip.compress(gzip.decompress(path(f).read_bytes())[:352])), everywhere(*READ)
    ),
    "missing image": Row(
        lambda f, d: path(f).unlink(), {"list": ("case k0", "does not exist"), "check": ("missing",)}
    ),
    "name that no file can have": Row(
        entry(image="k0" * 3000 + ".nii.gz"),
        {"list": ("does not exist",), "fast": ("missing",), "check": ("missing",)},
    ),
    "home of nobody": Row(entry(image="~nobody-here/k0.nii.gz"), {"list": ("does not exist",), "fast": ("missing",)}),
    "pipe": Row(
        lambda f, d: (os.mkfifo(f / "k0.pipe"), first(d).update(image="k0.pipe")),
        anywhere("case k0", "neither a file nor a folder"),
    ),
    "symlink loop": Row(loop, {"list": ("case k0", "does not exist"), "check": ("file is missing",)}),
    "huge claimed shape": Row(
        header(42, "<3h", 30000, 30000, 30000),
        {**everywhere("case k0", but=("load",)), **dict.fromkeys(("fast", "header", "prepare"), ("claims", "MiB"))},
    ),
    "text file": Row(named("k0.txt", b"Dear colleague, the scan is attached."), anywhere("case k0", "kind that T3D")),
    "photograph": Row(named("k0.png", b"\x89PNG\r\n\x1a\n" + bytes(200)), anywhere("case k0", "convert it to NIfTI")),
    "array": Row(named("k0.npy", b"\x93NUMPY" + bytes(200)), anywhere("case k0", "convert it to NIfTI")),
    "empty volume of Slicer": Row(named("k0.nrrd", b"NRRD0004\n\n"), anywhere("case k0")),
    # shapes and kinds of voxels
    "2D": Row(image(lambda v: v[..., 0]), {**everywhere("2D"), "header": ("case k0", "2D"), "fast": ("2D",)}),
    "4D": Row(image(lambda v: np.stack([v, v], -1)), {**everywhere("4 axes"), "header": ("case k0", "4 axes")}),
    "RGB": Row(image(colour), {**everywhere("case k0"), "fast": ("colour",)}),
    "NaN": Row(image(with_value(np.nan)), everywhere("NaN or infinite", "replace them")),
    "infinite": Row(image(with_value(np.inf)), everywhere("NaN or infinite", "replace them")),
    "constant": Row(
        image(lambda v: v * 0),
        {"prepare": ("case k0", "no HU", "--allow_no_hu True"), "check": ("not HU", "nearly constant")},
    ),
    "beyond int16": Row(image(with_value(70000.0)), {"check": ("not HU", "beyond any HU")}),
    # values
    "rescaled twice": Row(
        image(lambda v: v - 1024),
        {
            "prepare": ("case k0", "no HU", "--allow_no_hu True"),
            "check": ("not HU", "applied twice", "slope and intercept once"),
        },
    ),
    "no intercept": Row(
        image(lambda v: (v + 1024).clip(0)),
        {"prepare": ("case k0", "no HU", "--allow_no_hu True"), "check": ("without its rescale intercept",)},
    ),
    "8-bit": Row(
        image(lambda v: ((v + 1200) / 6).clip(0, 255).astype(np.uint8)),
        {"prepare": ("case k0", "no HU", "--allow_no_hu True"), "check": ("8-bit",)},
    ),
    "windowed": Row(
        image(lambda v: v.clip(-160, 30)),
        {"prepare": ("case k0", "no HU", "--allow_no_hu True"), "check": ("display window", "exactly")},
    ),
    "MR": Row(
        image(lambda v: np.abs(v % 400)),
        {
            "prepare": ("case k0", "no HU", "--allow_no_hu True"),
            "check": ("MR", "nothing below 0", "--allow_no_hu True"),
        },
    ),
    # grids
    "zero spacing": Row(header(80, "<f", 0.0), {"fast": ("pixdim", "[0, 2, 3]", "correct the header")}),
    "negative spacing": Row(header(80, "<f", -2.0), {"fast": ("pixdim", "[-2, 2, 3]", "correct the header")}),
    "singular affine": Row(
        header(312, "<4f", 0, 0, 0, 0), {"prepare": ("no usable affine",), "fast": ("affine",), "header": ("affine",)}
    ),
    "NaN in the affine": Row(header(312, "<4f", np.nan, 0, 0, 0), {"fast": ("affine",), "header": ("affine",)}),
    "spacing of another file": Row(
        header(80, "<3f", 1.0, 1.0, 1.0),
        {
            "fast": ("[1, 1, 1]", "LPS", "take the qform"),
            "header": ("k0", "take the qform"),
            "prepare": ("k0", "pixdim"),
        },
    ),
    "sheared": Row(
        affine([[-2, 0, 0, 0], [0, -2, 1, 0], [0, 0, 3, 0], [0, 0, 0, 1]]), {"fast": ("18.4 degrees", "straight")}
    ),
    "metres": Row(header(123, "B", 1), dict.fromkeys(("fast", "header", "prepare"), ("in meter", "convert"))),
    "micrometres": Row(header(123, "B", 3), dict.fromkeys(("fast", "header"), ("in micron", "convert"))),
    "spacing of metres in mm": Row(
        affine(np.diag([0.002, 0.002, 0.003, 1])), {"fast": ("0.002", "beyond 0.05 to 50")}
    ),
    # labels
    "label on other voxels": Row(
        label(lambda v: v[:-2]), {"labels": ("case k0", "(14, 18, 20)"), "check": ("grid", "resample the label")}
    ),
    "label moved": Row(
        lambda f, d: nib.save(
            nib.Nifti1Image((ct() > 0).astype(np.uint8), AFFINE + np.diag([0, 0, 0.5, 0])), f / "k0_label.nii.gz"
        ),
        {"labels": ("case k0", "9.50 mm"), "fast": ("grid", "9.50 mm", "resample the label")},
    ),
    "label of fractions": Row(
        label(lambda v: v * 0.5), {"labels": ("case k0", "no whole numbers"), "check": ("no whole numbers",)}
    ),
    "negative label": Row(
        label(lambda v: -v.astype(np.int16)), {"labels": ("value -1",), "check": ("negative", "-1")}
    ),
    "label is an image": Row(label(lambda v: ct() + 2000), {"check": ("more than 256", "label map, not of an image")}),
    "label missing": Row(
        lambda f, d: (f / "k0_label.nii.gz").unlink(), {"list": ("case k0: label",), "check": ("label", "missing")}
    ),
    "label truncated": Row(
        lambda f, d: (f / "k0_label.nii.gz").write_bytes(b"\x1f\x8b\x08"),
        {"labels": ("case k0", "cannot be read"), "check": ("label", "cannot be read")},
    ),
    "4D label": Row(label(lambda v: np.stack([v, v], -1)), {"labels": ("4 axes",), "fast": ("label", "4 axes")}),
    # the datalist
    "no case_id": Row(lambda f, d: first(d).pop("case_id"), dict.fromkeys(("list", "fast"), ("[0]", "no case_id"))),
    "no image": Row(lambda f, d: first(d).pop("image"), dict.fromkeys(("list", "fast"), ("k0", "no image"))),
    "image is a number": Row(entry(image=3), dict.fromkeys(("list", "fast"), ("k0", "no image"))),
    "item is a name": Row(
        lambda f, d: d["training"].append("k9.nii.gz"), dict.fromkeys(("list", "fast"), ("training[2]", "is a str"))
    ),
    "same id twice": Row(entry(case_id="k1"), dict.fromkeys(("list", "fast"), ("case k1", "used 2 times"))),
    "id that leaves the folder": Row(
        entry(case_id="../../k0"), dict.fromkeys(("list", "fast"), ("'../../k0'", "without / and"))
    ),
    "path that leaves the folder": Row(entry(image="../../none/k0.nii.gz"), {"list": ("does not exist",)}),
    "path with a zero byte": Row(entry(image="k0\0.nii.gz"), {"list": ("does not exist",), "fast": ("missing",)}),
    "patient is a list": Row(
        entry(patient_id=["p0"]), dict.fromkeys(("list", "fast"), ("k0", "patient_id is a list", "leave it out"))
    ),
    "patient in two lists": Row(entry(patient_id="p2"), dict.fromkeys(("list", "fast"), ("k0", "k2", "one patient"))),
    "image in two lists": Row(entry(image="k2.nii.gz"), {"fast": ("case k2", "that of case k0", "one list")}),
    "trailing comma": Row(
        text(lambda b: b[:-1] + b",}"), dict.fromkeys(("list", "fast"), ("not valid JSON", "line 1"))
    ),
    "another encoding": Row(
        text(lambda b: b.replace(b"Lungs", b"\xfcber")), dict.fromkeys(("list", "fast"), ("not UTF-8", "save it as"))
    ),
    "a bare list": Row(text(lambda b: b"[]"), dict.fromkeys(("list", "fast"), ("holds a list", "training"))),
    "split is no list": Row(
        lambda f, d: d.update(training={"k0": 1}), dict.fromkeys(("list", "fast"), ('"training" is not a list',))
    ),
    "empty split": Row(lambda f, d: d.update(training=[]), {"list": ('"training" is missing or empty', "test")}),
    "all splits empty": Row(lambda f, d: d.update(training=[], test=[]), {"fast": ("no cases", "add some")}),
    # reports and findings
    "report is a number": Row(entry(report=7), {"list": ("k0", "a int as report"), "fast": ("k0", "is a int")}),
    "report is a list": Row(entry(report=["Clear."]), {"list": ("k0", "list as report"), "fast": ("is a list",)}),
    "no report": Row(entry(report=None), dict.fromkeys(("list", "fast"), ("k0", "no report", "use_text"))),
    "blank report": Row(entry(report=" \n"), dict.fromkeys(("list", "fast"), ("k0", "empty report", "use_text"))),
    "report read as Latin-1": Row(
        entry(report="A m\u00c3\u00b6gliche L\u00c3\u00a4sion."), {"fast": ("another encoding",)}
    ),
    "half a character": Row(entry(report="Clear \ud83d lungs."), {"fast": ("broken characters", "UTF-8")}),
    "report is RTF": Row(
        entry(report="{\\rtf1\\ansi FINDINGS: clear\\par}"),
        dict.fromkeys(("list", "fast"), ("k0", "rich text (RTF), not plain text", "striprtf")),
    ),
    "report is a PDF file": Row(
        entry(report="JVBERi0xLjQKJcOkw7zDtsOfCjIgMCBvYmoK"), dict.fromkeys(("list", "fast"), ("k0", "a PDF file"))
    ),
    "report of a megabyte": Row(
        entry(report="Clear lungs, no nodule. " * 44000), {"fast": ("tokens", "512", "cuts it")}
    ),
    "finding of 2": Row(entry(findings={"nodule": 2}), {"fast": ("k0", "nodule is 2", "null for unknown")}),
    "findings as a list": Row(entry(findings=["nodule"]), {"fast": ("k0", "are a list")}),
    # DICOM
    "two series": Row(series(two=True), {"series": ("case k0", "2 series"), "fast": ("2 series", "of its own")}),
    "missing slices": Row(series(skip=(3,)), {"series": ("case k0", "missing"), "fast": ("slices are missing",)}),
    "multi-frame": Row(series(NumberOfFrames=4), {"series": ("multi-frame",), "fast": ("multi-frame", "dcm2niix")}),
    "truncated slice": Row(cut_slice, {**anywhere("k0", "is truncated"), "series": ("slice_", ".dcm is truncated")}),
    "one DICOM file for the folder": Row(
        one_slice, anywhere("k0", "one slice of a series", "set the path to the folder")
    ),
    "slices shifted sideways": Row(
        lambda f, d: (series()(f, d), move_slice(f / "scan")), anywhere("k0", "shifted sideways by up to 30.0 mm")
    ),
    "DICOM slice without a size": Row(
        lambda f, d: (series()(f, d), no_size(f / "scan")), anywhere("k0", "DICOM file slice_", "has no size")
    ),
    "codec missing": Row(compressed, {"load": ("case k0", "cannot be read"), "check": ("k0", "cannot be read")}),
    "folder without DICOM": Row(
        lambda f, d: ((f / "scan").mkdir(), first(d).update(image="scan", label=None)),
        {"fast": ("k0", "no DICOM image")},
    ),
}
