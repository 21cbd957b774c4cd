"""CONTRIBUTING.md: every file that a change names is there, and a change needs at most five of them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MOST = 5
ROOMS = "t3d|tests|bundles|benchmarks|docs|scripts"
FILE = re.compile(rf"`((?:{ROOMS})/[\w./-]+)`")
MODULE = re.compile(r"`(t3d(?:\.\w+)+)`")
EXAMPLE = re.compile(r"\(?see `[^`]+`")  # is read, not changed
NEW = re.compile(r"NAME|TASK|ROOM")  # stands for the new thing's name


def changes(text: str) -> dict[str, str]:
    """What is added or measured -> how; a section of dashes holds a change a line, one of numbers is one change."""
    found = {}
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, _, body = section.partition("\n")
        if not title.startswith(("Add ", "Measure ")):
            continue
        lines = re.split(r"^- ", body, flags=re.MULTILINE)[1:]
        found |= {line.partition(":")[0]: line for line in lines} if lines else {title: body}
    return found


def changed(body: str) -> set[str]:
    return set(FILE.findall(EXAMPLE.sub("", body)))


CHANGES = changes(TEXT)


def test_there_are_as_many_as_are_meant():
    assert len(CHANGES) == 14


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_names_few_files(change):
    assert 1 < len(changed(CHANGES[change])) <= MOST


@pytest.mark.parametrize("file", sorted(set(FILE.findall(TEXT))))
def test_a_named_file_is_there(file):
    assert list(ROOT.glob(NEW.sub("*", file))), file


@pytest.mark.parametrize("module", sorted(set(MODULE.findall(TEXT))))
def test_a_named_module_is_there(module):
    parts = module.split(".")
    file = next(
        file
        for end in range(len(parts), 0, -1)
        for file in ((ROOT.joinpath(*parts[:end])).with_suffix(".py"), ROOT.joinpath(*parts[:end], "__init__.py"))
        if file.is_file()
    )
    rest = parts[len(file.relative_to(ROOT).parts) - (file.name == "__init__.py") :]
    assert all(re.search(rf"\b{name}\b", file.read_text(encoding="utf-8")) for name in rest), module


def test_a_file_too_many_and_one_that_is_not_there_are_seen():
    text = "## Add a thing\n\n1. `t3d/a.py`, `t3d/b.py` (see `t3d/c.py`)\n\n## Rules\n\n- `t3d/d.py`\n"
    assert {name: changed(body) for name, body in changes(text).items()} == {"Add a thing": {"t3d/a.py", "t3d/b.py"}}
    two = changes("## Add one, another\n\n- One: `t3d/a.py`,\n  and `docs/b.md`\n- Another: `t3d/c.py`\n")
    assert {name: changed(body) for name, body in two.items()} == {
        "One": {"t3d/a.py", "docs/b.md"}, "Another": {"t3d/c.py"},
    }  # fmt: skip
