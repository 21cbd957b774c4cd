"""What `t3d check` says, for a person and as JSON."""

import itertools
from collections import defaultdict
from typing import Any

from t3d import __version__
from t3d.check.cohort import Checked
from t3d.check.remark import Remark
from t3d.errors import SHOWN_FAULTS

FORMAT_VERSION = 1
SHOWN_VALUES = 30
_QUANTILES = (("voxels", "voxels", "{:.0f}"), ("spacing_mm", "spacing, mm", "{:.3g}"), ("hu", "HU", "{:.0f}"))


def summary_text(checked: Checked, name: str, *, fast: bool) -> str:
    """Some dozens of lines: the tables, then faults and warnings by kind, the first ten of each."""
    tables, total = checked.tables, sum(checked.counts.values())
    listed = ", ".join(f"{split} {n}" for split, n in checked.counts.items())
    how = "headers only" if fast else "voxels read"
    lines = [f"{name}: {total} cases ({listed}) of {checked.patients} patients; {how}"]
    lines.append(_line("orientation", ", ".join(f"{k} {n}" for k, n in tables["orientations"].items())))
    for key, title, form in (
        ("voxels", "voxels", "{:.0f}"),
        ("spacing_mm", "spacing, mm", "{:.3g}"),
        ("hu", "HU", "{:.0f}"),
    ):
        for part, quantiles in tables[key].items():
            if quantiles is not None:
                low, _, middle, _, high = (form.format(value) for value in quantiles)
                lines.append(_line(f"{title}, {part.replace('_', ' ')}", f"{low} to {high}, median {middle}"))
    if tables["label_values"]:
        values = (f"{value}: {sum(splits.values())}" for value, splits in tables["label_values"].items())
        shown = list(itertools.islice(values, SHOWN_VALUES))
        more = len(tables["label_values"]) - len(shown)
        lines.append(_line("label value: cases", ", ".join(shown) + (f" .. and {more} more" if more else "")))
    lines += _report_lines(tables["reports"])
    for finding, splits in tables["findings"].items():
        shares = (f"{split} {n['present']} of {n['present'] + n['absent']}" for split, n in splits.items())
        lines.append(_line(f"finding {finding}", ", ".join(shares)))
    warnings = [remark for remark in checked.remarks if not remark.fault]
    lines += _remark_lines("FAULTS", checked.faults) + _remark_lines("WARNINGS", warnings)
    return "\n".join(lines) + "\n"


def summary_json(checked: Checked, name: str, *, fast: bool) -> dict[str, Any]:
    """All of it, with every fault and warning."""
    return {
        "format_version": FORMAT_VERSION,
        "t3d": __version__,
        "datalist": name,
        "fast": fast,
        "cases": checked.counts,
        "patients": checked.patients,
        "quantiles": ["smallest", "5 %", "median", "95 %", "largest"],
        **checked.tables,
        "faults": [remark.as_dict() for remark in checked.faults],
        "warnings": [remark.as_dict() for remark in checked.remarks if not remark.fault],
    }


def _report_lines(reports: dict[str, Any]) -> list[str]:
    if not reports["reports"]:
        return [_line("reports", "none")]
    tokens = reports["tokens_estimated"]
    parts = ", ".join(f"{name} {n}" for name, n in reports["body_parts"].items())
    above, same = tokens["above_max_tokens"], reports["same_as_an_earlier_one"]
    known = f"{reports['reports']}, {reports['without']} cases without"
    return [
        _line("reports", f"{known}; {same} like an earlier one; words of: {parts or 'no body part'}"),
        _line("tokens, estimated", f"median {tokens['median']}, longest {tokens['longest']}, above "
              f"{tokens['max_tokens']}: {above} reports"),
    ]  # fmt: skip


def _remark_lines(title: str, remarks: list[Remark]) -> list[str]:
    lines = [f"{title}: {len(remarks) or 'none'}"]
    kinds: dict[str, list[Remark]] = defaultdict(list)
    for remark in remarks:
        kinds[remark.kind].append(remark)
    for found in kinds.values():
        lines += [f"  {remark}" for remark in found[:SHOWN_FAULTS]]
        if len(found) > SHOWN_FAULTS:
            lines.append(f"  {found[0].kind}: ... and {len(found) - SHOWN_FAULTS} more (all of them with --json FILE)")
    return lines


def _line(title: str, text: str) -> str:
    return f"  {title:<28} {text}"
