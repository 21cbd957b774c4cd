"""Imports between the rooms of the package go down, never up and never round."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "t3d"

# From the ground up: a room may import from itself and from rooms of lines above its own. Names that are no folder are
# modules that lie directly in t3d/.
LAYERS = (
    ("errors", "renamed"),
    ("__init__", "atomic", "flag", "triple"),
    ("files",),
    ("command_line",),
    ("metrics", "losses", "volume", "phantoms"),
    ("data", "networks", "page"),
    ("weights",),
    ("reports",),
    ("transforms",),
    ("prepare", "train", "infer", "check", "export", "cohorts", "pack", "demo"),
    ("evaluate", "monai_label"),
    ("bundle",),
    ("api", "study"),
    ("cli",),
    ("__main__",),
)
# (module, module it imports) -> why this arrow may go up
EXCEPTIONS: dict[tuple[str, str], str] = {}
PLACE = {room: place for place, rooms in enumerate(LAYERS) for room in rooms}


def arrows(package: Path) -> Iterator[tuple[str, int, str, str]]:
    """File, line, importing module and imported module of every import of the package, also inside functions."""
    files = {_module(file, package): file for file in sorted(package.rglob("*.py"))}
    for module, file in files.items():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found = [name.name for name in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{file}:{node.lineno}: a relative import hides where it goes"
                inside = [f"{node.module}.{name.name}" for name in node.names]
                found = sorted({name if name in files else node.module for name in inside})
            else:
                continue
            for name in found:
                if name.split(".")[0] == "t3d":
                    yield file.relative_to(package.parent).as_posix(), node.lineno, module, name


def faults(package: Path) -> list[str]:
    """Arrows that go up or sideways, each with its file and line."""
    found = []
    for file, line, module, name in arrows(package):
        here, there = room(module), room(name)
        if here == there or (module, name) in EXCEPTIONS:
            continue
        unknown = {here, there} - set(PLACE)
        if unknown:
            found.append(f"{file}:{line}: {', '.join(sorted(unknown))} has no layer; give it one in LAYERS")
        elif PLACE[there] >= PLACE[here]:
            found.append(f"{file}:{line}: {here} imports {name}, which is not below it")
    return found


def cycle(package: Path) -> list[str]:
    """Rooms that import each other in a circle, each with the line of its arrow; empty without one."""
    graph: dict[str, dict[str, str]] = {}
    for file, line, module, name in arrows(package):
        if room(module) != room(name):
            graph.setdefault(room(module), {}).setdefault(room(name), f"{file}:{line}: {room(module)} -> {room(name)}")
    done: set[str] = set()

    def walk(here: str, way: list[str]) -> list[str]:
        if here in way:
            circle = [*way[way.index(here) :], here]
            return [graph[one][other] for one, other in zip(circle, circle[1:], strict=False)]
        for there in () if here in done else graph.get(here, {}):
            if found := walk(there, [*way, here]):
                return found
        done.add(here)
        return []

    return next((found for start in graph if (found := walk(start, []))), [])


def room(module: str) -> str:
    """The folder of the package that a module lies in, or its own name where it lies in none."""
    return module.split(".")[1] if "." in module else "__init__"


def _module(file: Path, package: Path) -> str:
    parts = file.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_every_room_has_one_layer():
    rooms = {room(_module(file, PACKAGE)) for file in PACKAGE.rglob("*.py")}
    assert sorted(rooms) == sorted(name for rooms in LAYERS for name in rooms)


def test_arrows_go_down():
    assert not faults(PACKAGE), "\n".join(faults(PACKAGE))


def test_no_rooms_import_each_other_in_a_circle():
    assert not cycle(PACKAGE), "\n".join(cycle(PACKAGE))


def test_exceptions_are_needed_and_explained():
    known = {(module, name) for _, _, module, name in arrows(PACKAGE)}
    assert all(pair in known and reason for pair, reason in EXCEPTIONS.items())


@pytest.mark.parametrize("text", ["import t3d.data.datalist", "from t3d.data import datalist", "from t3d import data"])
def test_an_arrow_up_is_seen_even_inside_a_function(tmp_path, text):
    for folder in ("data", "volume"):
        (tmp_path / "t3d" / folder).mkdir(parents=True)
        (tmp_path / "t3d" / folder / "__init__.py").touch()
    (tmp_path / "t3d" / "__init__.py").touch()
    (tmp_path / "t3d" / "data" / "datalist.py").write_text("from t3d.volume import store\n")
    (tmp_path / "t3d" / "volume" / "store.py").write_text(f"def read():\n    {text}\n")
    (fault,) = faults(tmp_path / "t3d")
    assert fault.startswith("t3d/volume/store.py:2: volume imports t3d.data")
    assert len(cycle(tmp_path / "t3d")) == 2
