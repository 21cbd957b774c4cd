"""Findings of the datalist as label vectors: 0, 1 or unknown, and nothing else."""

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from t3d.data.datalist import load_datalist
from t3d.errors import T3DError, raise_faults

logger = logging.getLogger(__name__)

UNKNOWN = float("nan")

# what a classifier is built for where nothing else is known, as its metadata.json says
DEFAULT_FINDINGS = (
    "aortic_aneurysm",
    "aortic_calcification",
    "cardiomegaly",
    "consolidation",
    "emphysema",
    "hepatic_steatosis",
    "kidney_cyst",
    "kidney_stone",
    "liver_lesion",
    "lung_nodule",
    "pericardial_effusion",
    "pleural_effusion",
    "splenomegaly",
)


def finding_names(
    *,
    findings: Sequence[str] | None = None,
    recorded: Sequence[str] | None = None,
    datalist_file: str | Path | None = None,
    default: Sequence[str] = DEFAULT_FINDINGS,
) -> list[str]:
    """The findings a network scores, in the order of its outputs.

    Args:
        findings: chosen by the user; None for the next source.
        recorded: those of the model in use, from its record; None or empty for the next source.
        datalist_file: where it exists, all names in its training list, sorted.
        default: where nothing else is known (a bundle without model and data).

    Raises:
        T3DError: a choice that is empty, not a list of names, names one twice, or is not that of the model in use; a
            training list without findings.
    """
    if findings is not None:
        names = list(findings) if isinstance(findings, list | tuple) else []
        if not names or not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
            raise T3DError(f'findings {findings!r} must be a list of distinct names, such as ["effusion"], or null')
        if recorded and names != list(recorded):
            raise T3DError(
                f"findings {names} are not those of the model in use, {list(recorded)}: leave findings null, or train "
                "anew in another --ckpt_dir"
            )
        return names
    if recorded:
        return list(recorded)
    if datalist_file is None or not Path(datalist_file).is_file():
        logger.warning("neither findings, nor a model, nor %s: built for the bundle's default findings", datalist_file)
        return list(default)
    items = load_datalist(datalist_file, "training", need_report=False)
    names = sorted({name for item in items for name in _states(item)})
    if not names:
        raise T3DError(
            f'{Path(datalist_file).name}: no case of the list "training" has findings; add '
            '"findings": {"name": 0 or 1} to its cases'
        )
    return names


def labelled(
    items: Sequence[Mapping[str, Any]], names: Sequence[str], *, need_both: bool = False, need_any: bool = True
) -> list[dict]:
    """Items with ``label``: a list of F floats, 1 present, 0 absent, NaN unknown (null, -1, "" or not named).

    Args:
        items: of ``load_datalist``.
        names: F findings.
        need_both: also require a positive and a negative case of every finding (a training list).
        need_any: require a case that knows a finding.

    Raises:
        T3DError: a value that is none of these, naming case, finding and value; with ``need_any`` no case that knows
            any of the findings; with ``need_both`` a finding that is unknown everywhere or of one class only.
    """
    faults: list[str] = []
    rows = [dict(item, label=_vector(item, names, faults)) for item in items]
    if not faults and need_both:
        faults = _one_sided(rows, names)
    raise_faults(faults, "findings")
    if need_any and all(math.isnan(value) for row in rows for value in row["label"]):
        raise T3DError(f"none of the {len(rows)} cases knows any of the findings {', '.join(names)}; add their labels")
    return rows


def positive_weights(items: Sequence[Mapping[str, Any]], names: Sequence[str], *, largest: float) -> list[float]:
    """Negatives per positive of each finding, within [1 / largest, largest]; ``largest`` 1 weighs all alike.

    A finding of one class only (a small fraction of the labels) gets 1 and a warning.
    """
    if largest < 1:
        raise T3DError(f"max_positive_weight {largest} must be 1 (off) or more")
    weights = []
    for place, name in enumerate(names):
        values = [item["label"][place] for item in items]
        positives, negatives = values.count(1.0), values.count(0.0)
        if positives and negatives:
            weights.append(min(largest, max(1 / largest, negatives / positives)))
            continue
        logger.warning(
            "finding %s: %d positive and %d negative cases among those trained on; it cannot be learnt from them",
            name, positives, negatives,
        )  # fmt: skip
        weights.append(1.0)
    return weights


def _vector(item: Mapping[str, Any], names: Sequence[str], faults: list[str]) -> list[float]:
    states = _states(item)
    return [_state(states.get(name), f"case {item['case_id']}: finding {name}", faults) for name in names]


def _state(value: Any, who: str, faults: list[str]) -> float:
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return UNKNOWN
    if isinstance(value, int | float) and value in (0, 1, -1):
        return UNKNOWN if value == -1 else float(value)
    faults.append(f"{who} is {value!r}; use 0, 1, or null for unknown")
    return UNKNOWN


def _states(item: Mapping[str, Any]) -> Mapping[str, Any]:
    states = item.get("findings")
    if states is None:
        return {}
    if not isinstance(states, Mapping):
        raise T3DError(
            f"case {item['case_id']}: findings are a {type(states).__name__}; make them an object "
            '{"name": 0, 1 or null}'
        )
    return states


def _one_sided(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    faults = []
    for place, name in enumerate(names):
        known = [row["label"][place] for row in rows if not math.isnan(row["label"][place])]
        if not known:
            faults.append(
                f"finding {name}: no case of the training list knows it; correct its name or leave it out of findings"
            )
        elif len(set(known)) == 1:
            kind = "positive" if known[0] else "negative"
            faults.append(
                f"finding {name}: all {len(known)} known cases of the training list are {kind}; nothing can be "
                "learnt from them, leave it out of findings or add others"
            )
    return faults
