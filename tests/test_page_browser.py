"""The page in a real browser: it loads, slices change, and it asks for nothing."""

import pytest
from headless_browser import browser
from test_page import HOSTILE, case

from t3d.page.html import as_html
from t3d.page.parts import Paragraph, Viewer

READY = "document.querySelector('.viewer')?.dataset.state === 'ready'"
AXIAL = "document.querySelector('figure[data-plane=axial] canvas')"
SLICE = f"Number({AXIAL}.dataset.slice)"
PIXELS = f"{AXIAL}.toDataURL()"
SAID = "document.querySelector('.viewer output').textContent"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page with a case whose name tries to load and to run something, opened from its file."""
    folder = tmp_path_factory.mktemp("page")
    file = folder / "page.html"
    parts = [
        Paragraph(HOSTILE),
        Viewer(
            [
                case(HOSTILE),
                case(
                    "other",
                ),
            ],
            [HOSTILE, "spleen"],
        ),
    ]
    file.write_text(as_html(HOSTILE, parts), encoding="utf-8")
    with browser(folder / "profile") as opened:
        opened.open(file)
        opened.wait_for(READY)
        yield opened


def choose(page, control, value):
    page.value(
        f"(() => {{ const one = document.querySelector('.viewer {control}'); one.value = '{value}';"
        " for (const kind of ['input', 'change']) one.dispatchEvent(new Event(kind)); })()"
    )
    page.wait_for(READY)


def test_keys_wheel_and_slider_change_the_slice(page):
    page.value(f"{AXIAL}.focus()")
    before, pixels = page.value(SLICE), page.value(PIXELS)
    assert before == 2
    page.press("ArrowUp")
    page.wait_for(f"{SLICE} === 3")
    assert page.value(PIXELS) != pixels
    page.press("ArrowUp")  # the last slice stays
    page.press("PageDown")
    page.wait_for(f"{SLICE} === 0")
    page.value(f"{AXIAL}.dispatchEvent(new WheelEvent('wheel', {{ deltaY: -80, cancelable: true }}))")
    assert page.value(SLICE) == 2
    assert page.value(PIXELS) == pixels
    assert "3 of 4, 11 mm S" in page.value("document.querySelector('figure[data-plane=axial] figcaption').textContent")


def test_it_says_what_stands_in_a_voxel(page):
    # voxel (1, 1, 2): number 1 + 6 * (1 + 5 * 2) = 67, so 340 HU; prediction rolled by one begins at x = 2
    assert page.value(SAID) == f"9 mm L, 22 mm A, 11 mm S · 340 HU · truth: {HOSTILE} · prediction: none"
    choose(page, ".map", "0")
    assert page.value(SAID).endswith("text map: -0.32")  # its voxel (0, 0, 1), the second of twelve from -0.5 to 1.5


def test_window_layers_and_classes_change_the_picture(page):
    choose(page, ".map", "0")
    seen = {page.value(PIXELS)}
    chosen = {".window": "400,1800", ".fill": "", ".outline": "1", ".opacity": "0.9", ".map": ""}
    for control, value in chosen.items():
        choose(page, control, value)
        seen.add(page.value(PIXELS))
    page.value("document.querySelector('.classes input').click()")
    seen.add(page.value(PIXELS))
    assert len(seen) == 7
    choose(page, ".layout", "coronal")
    assert page.value("[...document.querySelectorAll('figure')].map((one) => one.hidden)") == [True, False, True]


def test_another_case_keeps_the_choice_of_layers(page):
    choose(page, ".case", "1")
    assert page.value("document.querySelector('.outline').selectedOptions[0].text") == "prediction"
    assert page.value("document.querySelector('.facts td').textContent") == "0.50"


def test_nothing_was_asked_for_and_nothing_went_wrong(page):
    (address,) = page.requests()
    assert address.startswith("file:") and page.faults() == []
    # the policy is the browser's, not ours: a program put into the page is not run, a request does not leave
    page.value(
        "document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = 1' }))"
    )
    page.value("new Promise((done) => fetch('https://evil.example/').then(() => done('sent'), () => done('refused')))")
    assert page.value("window.ran") is None
    page.wait_for("true")
    assert len([fault for fault in page.faults() if "Content Security Policy" in fault]) >= 2
    assert not [one for one in page.requests() if "evil" in one]
