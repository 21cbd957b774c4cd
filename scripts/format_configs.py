"""Format the bundles' JSON: python scripts/format_configs.py [--check] [FILE ..], by default all their configs.

Objects are indented by 4; a list of plain values, or an object of at most four, stands on one line where it fits.
With --check nothing is written: the files that would change are named, and the status is 1 if there are any.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

COLUMNS = 119
SMALL = 4  # a part with up to three arguments
INDENT = " " * 4
CONFIGS = Path(__file__).resolve().parents[1] / "bundles"


def formatted(text: str) -> str:
    """The same JSON in the one form that the repository holds.

    Raises:
        ValueError: no JSON, or a name that stands twice in one object, of which only the last would be read.
    """
    return _lines(json.loads(text, object_pairs_hook=_once), margin="", room=COLUMNS) + "\n"


def _lines(value: Any, *, margin: str, room: int) -> str:
    """One value; ``room`` is what its first line may take."""
    if not isinstance(value, dict | list) or not value or _is_short(value):
        line = json.dumps(value, ensure_ascii=False)
        if len(line) <= room or not isinstance(value, dict | list):
            return line
    inner = margin + INDENT
    names = (
        [f"{json.dumps(name, ensure_ascii=False)}: " for name in value]
        if isinstance(value, dict)
        else [""] * len(value)
    )
    values = value.values() if isinstance(value, dict) else value
    rows = []
    for name, one in zip(names, values, strict=True):
        start = inner + name
        # a comma may follow
        rows.append(start + _lines(one, margin=inner, room=COLUMNS - len(start) - 1))
    first, last = "{}" if isinstance(value, dict) else "[]"
    return f"{first}\n" + ",\n".join(rows) + f"\n{margin}{last}"


def _is_short(value: dict | list) -> bool:
    plain = not any(isinstance(one, dict | list) for one in (value.values() if isinstance(value, dict) else value))
    return plain and (isinstance(value, list) or len(value) <= SMALL)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{sorted({name for name in names if names.count(name) > 1})} stands twice in one object")
    return found


def main() -> int:
    """Format or check; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    changed = []
    for file in options.files or sorted(CONFIGS.glob("*/configs/*.json")):
        text = file.read_text(encoding="utf-8")
        try:
            wanted = formatted(text)
        except ValueError as error:
            sys.stderr.write(f"error: {file}: {error}\n")
            return 2
        if wanted != text:
            changed.append(file)
            if not options.check:
                file.write_text(wanted, encoding="utf-8")
    for file in changed:
        sys.stdout.write(f"{'would format' if options.check else 'formatted'} {file}\n")
    return int(options.check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
