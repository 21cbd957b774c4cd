"""The configurations are of a size that a person reads: what a user may turn on top, no programs in strings."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BUNDLES = ROOT / "bundles"
FORMATTER = ROOT / "scripts" / "format_configs.py"
LINE = ("_comment_", "below this line nothing needs to be changed")
MOST_LINES = {"train": 370, "inference": 125, "evaluate": 60, "zero_shot": 55, "retrieval": 55}
# segmentation has two stock networks, for MONAI's load() and MONAI Label without this package, and a folded one; its
# evaluation also writes a page
LONGER = {"t3d_segmentation-inference": 144, "t3d_segmentation-evaluate": 64}
LONGEST = 120
STAGES = [file for file in sorted(BUNDLES.glob("*/configs/*.json")) if file.stem in MOST_LINES]
ALL = [file for file in sorted(BUNDLES.glob("*/configs/*.json")) if not file.stem.startswith(("metadata", "labels_"))]


def name(file: Path) -> str:
    return f"{file.parts[-3]}-{file.stem}"


def texts(part, path: tuple[str, ...] = ()):
    """All strings of a configuration with the way to them."""
    if isinstance(part, str):
        yield path, part
    inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, value in inner:
        yield from texts(value, (*path, str(key)))


@pytest.mark.parametrize("file", STAGES, ids=name)
def test_lines(file):
    assert len(file.read_text().splitlines()) <= LONGER.get(name(file), MOST_LINES[file.stem])


@pytest.mark.parametrize("file", ALL, ids=name)
def test_expressions_are_short_and_address_no_element_by_its_position(file):
    expressions = [(path, text) for path, text in texts(json.loads(file.read_text())) if text.startswith("$")]
    assert [path for path, text in expressions if len(text) > LONGEST and path != ("bundle_root",)] == []
    assert [path for path, text in expressions if re.search(r"@[\w#.]+\[-?\d*:?-?\d", text)] == []
    # a handler's output_transform and iteration_log are functions in MONAI's design
    programs = [path for path, text in expressions if "lambda" in text and "handlers" not in path]
    assert programs == []


@pytest.mark.parametrize("file", [file for file in STAGES if file.stem in ("train", "inference")], ids=name)
def test_options_stand_above_the_line_and_parts_below(file):
    content = list(json.loads(file.read_text()).items())
    above, below = content[: content.index(LINE)], content[content.index(LINE) + 1 :]
    assert len(above) > 15 and not [key for key, value in above if isinstance(value, dict) and "_target_" in value]
    assert {"bundle_root", "network_def", "preprocessing", "run"} <= {key for key, _ in below}
    plain = [
        key for key, value in below if isinstance(value, bool | int | float) and key not in ("rank", "world_size")
    ]
    assert plain == []


def test_the_formatter_changes_the_form_only_and_says_what_it_would_change(tmp_path):
    content = {
        "a": [1, 2, {"b": None}],
        "c": list(range(100)),
        "d": {"e": "ä", "f": [0.5, "x"]},
        "g": {},
        "h": [[1], []],
    }
    file = tmp_path / "one.json"
    file.write_text(json.dumps(content))

    def run(*options):
        return subprocess.run([sys.executable, FORMATTER, *options, file], capture_output=True, text=True)

    assert run("--check").returncode == 1 and str(file) in run("--check").stdout
    assert json.loads(file.read_text()) == content == json.loads(json.dumps(content))
    assert run().returncode == 0 and run("--check").returncode == 0
    text = file.read_text()
    assert json.loads(text) == content and '    "d": {\n        "e": "ä",\n        "f": [0.5, "x"]\n    },\n' in text
    assert '    "g": {},\n' in text and max(map(len, text.splitlines())) < 120
    file.write_text('{"a": 1, "a": 2}')
    assert run().returncode == 2 and "'a'" in run().stderr and "twice" in run().stderr
