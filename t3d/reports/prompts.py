"""Prompt pairs for zero-shot scores: sentences that say a finding is there, and that it is not."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from t3d.errors import T3DError
from t3d.files import read_json

DEFAULT_PROMPTS = Path(__file__).parent / "chest_abdomen_ct.json"


class PromptPair(NamedTuple):
    """Wordings that a finding is there, and wordings that it is not."""

    positive: tuple[str, ...]
    negative: tuple[str, ...]


def finding_name(name: str) -> str:
    """ "Lung nodule", "lung-nodule" and "lung_nodule" are one finding: the last; letters of any alphabet stay."""
    return re.sub(r"[\W_]+", "_", name.lower()).strip("_")


def read_prompts(file: str | Path | None = None) -> dict[str, PromptPair]:
    """Read prompt pairs.

    Args:
        file: JSON ``{"findings": {name: {"positive": [sentences], "negative": [sentences]}}}``; None takes the file of
            the package, ``chest_abdomen_ct.json`` (sentences ours): the findings of the phantoms and the 18
            abnormalities of CT-RATE (arXiv 2403.17834).

    Returns:
        finding, as ``finding_name`` writes it -> its pair.

    Raises:
        T3DError: the file is missing or no such JSON, names a finding twice, or a finding lacks a wording.
    """
    path = Path(file) if file is not None else DEFAULT_PROMPTS
    form = '{"findings": {"NAME": {"positive": ["It is there."], "negative": ["It is not there."]}}}'
    content = read_json(
        path, what="file of prompts", remedy=f"make it {form}", absent="correct --prompts_file",
        need={"findings": dict}, once=True,
    )  # fmt: skip
    items = list(content["findings"].items())
    if not items:
        raise T3DError(f"prompts_file {path} has no findings: add prompt pairs to it")
    pairs: dict[str, PromptPair] = {}
    for name, sides in items:
        if not finding_name(name):
            raise T3DError(f"prompts_file {path} has the finding {name!r}: give it a name with letters")
        if finding_name(name) in pairs:
            raise T3DError(f"prompts_file {path} names {name} twice: keep one")
        pairs[finding_name(name)] = PromptPair(
            *(_wordings(sides, side, name=name, path=path) for side in PromptPair._fields)
        )
    return pairs


def choose_prompts(prompts: Mapping[str, PromptPair], findings: Sequence[str] | None) -> dict[str, PromptPair]:
    """The pairs of the wanted findings under the names they were asked for; None is all of them.

    Raises:
        T3DError: a finding has no prompts, or none is asked for.
    """
    if findings is None:
        return dict(prompts)
    names = [findings] if isinstance(findings, str) else list(findings)
    unknown = [name for name in names if finding_name(name) not in prompts]
    if unknown or not names:
        raise T3DError(
            f"findings {', '.join(unknown) or '[]'}: no prompts for them; the prompts file knows "
            f"{', '.join(prompts)}. Choose among these, or add prompt pairs and give the file as --prompts_file"
        )
    return {name: prompts[finding_name(name)] for name in names}


def _wordings(sides: object, side: str, *, name: str, path: Path) -> tuple[str, ...]:
    wordings = sides.get(side) if isinstance(sides, Mapping) else None
    if not isinstance(wordings, list) or not wordings or not all(isinstance(w, str) and w.strip() for w in wordings):
        raise T3DError(f"prompts_file {path}: {name} has no {side} wordings; give it a list of one sentence or more")
    return tuple(wordings)
