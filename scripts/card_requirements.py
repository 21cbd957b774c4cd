"""Print the requirements of the install lines of bundles' cards: card_requirements.py README.md .."""

import re
import sys
from pathlib import Path


def requirements(card: str) -> list[str]:
    """What the first ``pip install`` of a card's section Install names.

    Raises:
        ValueError: there is none.
    """
    line = re.search(r"## Install\n.*?```bash\n(pip install .*?)\n```", card, re.DOTALL)
    if line is None:
        raise ValueError("the card has no section Install with a pip install line")
    return re.findall(r'"([^"]+)"', line.group(1))


if __name__ == "__main__":
    found = {one for path in sys.argv[1:] for one in requirements(Path(path).read_text(encoding="utf-8"))}
    sys.stdout.write("".join(f"{one}\n" for one in sorted(found)))
