"""What the documents say can be followed: files they link to, commands and options they name."""

import inspect
import json
import re
from pathlib import Path

import pytest

from t3d import cli

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("bundles/*/docs/*.md")]
CARDS = {path.parts[-3]: path for path in DOCUMENTS if path.parts[-2:] == ("docs", "README.md")}
# of monai.bundle run itself
OF_MONAI = {"config_file", "bundle_root", "tracking", "tracking_uri"}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_linked_files_exist_and_words_are_pythons(path):
    text = path.read_text()
    targets = [target for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) if not target.startswith("http")]
    assert not [target for target in targets if not (path.parent / target).exists()]
    # the bundles' command line refuses "true", which it would get as a text
    assert set(re.findall(r"`(?:--)?\w+ (?:true|false)`", text)) <= {"`--flag false`"}  # of the line about it


def test_commands_and_their_options_exist():
    lines = [line for path in DOCUMENTS for line in re.sub(r"\\\n", " ", path.read_text()).splitlines()]
    used = [found for line in lines for found in re.findall(r"(?:`|-m )t3d (\w+)([^`#;|>]*)", line)]
    assert len({name for name, _ in used}) > 8
    for name, rest in used:
        known = inspect.signature(getattr(cli, name)).parameters
        assert set(re.findall(r"--(\w+)", rest)) <= set(known), (name, rest)


@pytest.mark.parametrize("bundle", list(CARDS))
def test_options_of_a_card_are_settings_of_its_configurations(bundle):
    text = CARDS[bundle].read_text()
    settings = {key for path in (ROOT / "bundles" / bundle / "configs").glob("*.json") for key in _keys(path)}
    lines = [line for line in re.sub(r"\\\n", " ", text).splitlines() if "monai.bundle run --config_file" in line]
    named = {name.partition("::")[0] for line in lines for name in re.findall(r" --([a-z_:]+)", line)}
    listed = re.search(
        r"What most people change are top-level \w+, given as `--name value`: (.*?)\.\n", text, re.DOTALL
    )
    named |= set(re.findall(r"`(\w+)`", listed.group(1)))
    assert len(named) > 10 and named - OF_MONAI <= settings, named - OF_MONAI - settings


def _keys(path: Path) -> list[str]:
    return list(json.loads(path.read_text()))
