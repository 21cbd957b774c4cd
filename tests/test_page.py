"""Pages of results: the same parts as Markdown and as an HTML file that needs nothing beside it."""

import json
import re
from html.parser import HTMLParser

import nibabel
import numpy as np
import pytest

from t3d.errors import T3DError
from t3d.page.case import MapLayer, ViewerCase, as_json, pack, unpack
from t3d.page.choose import evenly, spread
from t3d.page.html import as_html
from t3d.page.markdown import as_markdown
from t3d.page.parts import Bullets, Heading, Paragraph, Picture, Viewer
from t3d.page.read_case import MapFile, read_case
from t3d.page.results import gauge_table, metric_table, number
from t3d.page.table import Table

HOSTILE = '</script><script src="https://evil.example/x.js"></script><img src=http://evil.example/x onerror=alert(1)>'


def case(name="case_1", **more):
    """An image whose voxels count, with a truth, a prediction and a map of half its grid."""
    shape = (6, 5, 4)
    image = (np.arange(120).reshape(shape, order="F") * 20 - 1000).astype(np.int16)
    truth = np.zeros(shape, np.uint8)
    truth[1:4, 1:4, 2:] = 1
    truth[4:, :2, 1] = 2
    values = np.linspace(-0.5, 1.5, 12).reshape(3, 2, 2)
    return ViewerCase(
        name=name, image=image, spacing=(1.5, 2.0, 3.0), origin=(-10.5, 20.0, 5.0),
        labels={"truth": truth, "prediction": np.roll(truth, 1, axis=0)},
        maps={"text map": MapLayer(values, (0.5, 0.5, 0.5), (-0.25, -0.25, -0.25))},
        facts=Table(["class", "Dice"], [["liver", "0.50"]]), note="a note", **more,
    )  # fmt: skip


class Elements(HTMLParser):
    """Elements with their attributes, in the order of the page, and the text of each script."""

    def __init__(self):
        super().__init__()
        self.found, self.scripts = [], []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data):
        if self.found and self.found[-1][0] == "script" and self.cdata_elem == "script":
            self.scripts[-1] += data


def parsed(page):
    elements = Elements()
    elements.feed(page)
    return elements


def hostile_page():
    return as_html(HOSTILE, [
        Heading(HOSTILE), Paragraph(f"`{HOSTILE}`"), Bullets([HOSTILE]), Table([HOSTILE, "b"], [[HOSTILE, HOSTILE]]),
        Picture(f'"{HOSTILE}', "x.png", b"\x89PNG"), Viewer([case(HOSTILE)], [HOSTILE, "spleen"]),
    ])  # fmt: skip


def test_markdown_and_html_say_the_same():
    parts = [
        Paragraph("Sentences with `file.json`."), Picture("overview", "summary.png", b"png"), Viewer([case()]),
        Heading("Numbers"), Table(["gauge", "T3D"], [["rank", "1"], ["loss", "2 (1 to 3)"]]), Bullets(["x", "y"]),
    ]  # fmt: skip
    assert as_markdown("A page", parts) == (
        "# A page\n\nSentences with `file.json`.\n\n![overview](summary.png)\n\n## Numbers\n\n"
        "| gauge | T3D |\n|---|---|\n| rank | 1 |\n| loss | 2 (1 to 3) |\n\n- x\n- y\n"
    )
    page = as_html("A page", parts)
    for words in (
        "<h1>A page</h1>", "<h2>Numbers</h2>", "<p>Sentences with <code>file.json</code>.</p>", "<li>y</li>",
        '<tr><th scope="row">loss</th><td>2 (1 to 3)</td></tr>', 'alt="overview" src="data:image/png;base64,cG5n"',
    ):  # fmt: skip
        assert words in page


def test_a_page_without_cases_has_no_program():
    assert not parsed(as_html("A page", [Paragraph("x")])).scripts


def test_the_page_needs_nothing_beside_it_whatever_names_say():
    found = parsed(hostile_page())
    kinds = [tag for tag, _ in found.found]
    assert kinds.count("script") == 2 and kinds.count("img") == 1
    assert not {"link", "iframe", "object", "embed", "base", "form", "a"} & set(kinds)
    for tag, attributes in found.found:
        for name in ("src", "href", "srcset", "data", "action", "background"):
            assert attributes.get(name, "data:").startswith("data:"), (tag, attributes)
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    policy = next(attributes["content"] for tag, attributes in found.found if "http-equiv" in attributes)
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-") and "unsafe" not in policy
    # the program that runs is that of the package, and nothing in it or in the style points elsewhere
    program = found.scripts[-1]
    style = re.search("<style>(.*?)</style>", hostile_page(), re.DOTALL).group(1)
    assert "startViewer" in program and HOSTILE not in program
    assert not re.search(
        r"https?:|url\(|@import|\bfetch\b|XMLHttpRequest|WebSocket|\bimport\b|eval\(", program + style
    )


def test_the_data_of_the_page_are_what_went_in():
    data = json.loads(parsed(hostile_page()).scripts[0])
    (found,) = data["cases"]
    assert found["name"] == HOSTILE and data["classes"][0]["name"] == HOSTILE
    assert np.array_equal(unpack(found["image"]), case().image)
    assert [layer["name"] for layer in found["labels"]] == ["truth", "prediction"]
    for layer, values in zip(found["labels"], case().labels.values(), strict=True):
        assert np.array_equal(unpack(layer), values)
    (layer,) = found["maps"]
    values = layer["low"] + unpack(layer) / 255 * (layer["high"] - layer["low"])
    assert np.abs(values - case().maps["text map"].values).max() <= 1 / 255


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int16"])
def test_voxels_are_packed_with_x_running_fastest(kind):
    array = np.arange(24).reshape(2, 3, 4).astype(kind) * 7
    found = unpack(pack(array))
    assert found.dtype == kind and np.array_equal(found, array)
    assert np.array_equal(found.ravel(order="F")[:2], array[:2, 0, 0])


def test_a_case_opens_where_most_is_labelled_or_its_map_is_highest():
    assert as_json(case())["start"] == [1, 1, 2]
    bare = case()
    without = ViewerCase("x", bare.image, bare.spacing, bare.origin, maps=bare.maps)
    assert without.start() == [4, 2, 2]
    assert ViewerCase("x", bare.image, bare.spacing, bare.origin).start() == [3, 2, 2]


def saved(folder, name, array, affine):
    nibabel.save(nibabel.Nifti1Image(array, affine), folder / name)
    return folder / name


def test_files_in_other_axes_are_laid_on_each_other(tmp_path):
    wanted = case()
    affine = np.diag([1.5, 2.0, 3.0, 1.0])
    affine[:3, 3] = wanted.origin
    # the image as LPS, its label as RAS, the map of twice the voxels' sides in its own place
    turned = affine @ np.array([[-1, 0, 0, 5], [0, -1, 0, 4], [0, 0, 1, 0], [0, 0, 0, 1]], dtype=float)
    coarse = affine @ np.array([[2, 0, 0, 0.5], [0, 2, 0, 0.5], [0, 0, 2, 0.5], [0, 0, 0, 1]])
    values = wanted.maps["text map"].values.astype(np.float32)
    found = read_case(
        "1 of 2",
        saved(tmp_path, "image.nii.gz", wanted.image[::-1, ::-1], turned),
        labels={"truth": saved(tmp_path, "truth.nii.gz", wanted.labels["truth"] * 5, affine)},
        maps={"text map": MapFile(saved(tmp_path, "map.nii.gz", np.stack([values * 0, values], -1), coarse), 1)},
        classes={"liver": [5, 6], "spleen": [10]},
    )
    assert np.array_equal(found.image, wanted.image) and np.array_equal(found.labels["truth"], wanted.labels["truth"])
    assert np.allclose(found.spacing, wanted.spacing) and np.allclose(found.origin, wanted.origin) and not found.note
    layer = found.maps["text map"]
    assert np.allclose(layer.values, values)
    assert np.allclose(layer.scale, 0.5) and np.allclose(layer.offset, -0.25)


def test_of_a_large_case_every_so_manieth_voxel_is_shown(tmp_path):
    wanted = case()
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    files = [
        saved(tmp_path, f"{i}.nii.gz", one, affine) for i, one in enumerate((wanted.image, wanted.labels["truth"]))
    ]
    found = read_case("a", files[0], labels={"truth": files[1]}, note="First.", most_voxels=40)
    assert np.array_equal(found.image, wanted.image[::2, ::2]) and list(found.spacing) == [2.0, 2.0, 2.0]
    assert np.array_equal(found.labels["truth"], wanted.labels["truth"][::2, ::2])
    assert found.note.startswith("First. To keep this page small it holds every 2nd voxel along x, every 2nd")


def test_a_map_that_is_turned_or_broken_is_refused(tmp_path):
    image = saved(tmp_path, "image.nii.gz", case().image, np.eye(4))
    angle = np.deg2rad(20)
    turned = np.eye(4)
    turned[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    there = saved(tmp_path, "map.nii.gz", np.ones((6, 5, 4), np.float32), turned)
    with pytest.raises(T3DError, match="case a: the map map.nii.gz is turned against the image"):
        read_case("a", image, maps={"text map": MapFile(there)})
    there.write_bytes(b"no map")
    with pytest.raises(T3DError, match="case a: the map map.nii.gz cannot be read"):
        read_case("a", image, maps={"text map": MapFile(there)})


def test_cases_are_chosen_from_worst_to_best():
    dice = {"a": 0.9, "b": 0.1, "c": None, "d": 0.5, "e": 0.7}
    cases = [
        {"case_id": name, "classes": {"x": {"dice": value}, "y": {"dice": value}}} for name, value in dice.items()
    ]
    assert [one["case_id"] for one in spread(cases, 3)] == ["c", "d", "a"]
    assert evenly([1, 2], 3) == [1, 2] and evenly(range(5), 1) == [0] and evenly([1, 2], 0) == []


def test_numbers_have_one_form():
    assert number(None) == "-" and number(0.12345) == "0.123" and number(1.0, [0.5, 2], digits=1) == "1.0 (0.5 to 2.0)"
    entry = {"mean": 0.5, "interval": [0.25, 0.75]}
    metrics = {"classes": {"left_lung": {"dice": entry, "missed": 3}}, "mean": {"dice": entry}}
    table = metric_table("class", metrics, {"dice": "Dice", "missed": "missed"})
    cell = "0.500 (0.250 to 0.750)"
    assert table == Table(["class", "Dice", "missed"], [["left lung", cell, "3"], ["mean", cell, ""]])
    gauges = {"tic_chance": 0.25, "effective_rank": 2.0, "embedding_width": 8, "sentence_accuracy": 0.5,
              "sentence_accuracy_interval": None}  # fmt: skip
    rows = [["held-out sentences that find their volume", "0.500"], ["effective rank of 8", "2.0"]]
    assert gauge_table({"value": gauges}) == Table(["gauge", "value"], rows)
