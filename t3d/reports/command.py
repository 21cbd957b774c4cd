"""The command `t3d reports`: what the training will read of a cohort's reports, and what it leaves out."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from t3d.data.report_format import report_format_fault
from t3d.errors import T3DError, raise_faults
from t3d.flag import flag
from t3d.reports.clean import clean_report

logger = logging.getLogger(__name__)


def reports(
    datalist: str,
    *,
    sections: str | tuple[str, ...] = ("findings", "impression"),
    drop_comparisons: bool = False,
    text_encoder: str | None = None,
    out_file: str | None = None,
    overwrite: bool = False,
) -> None:
    """Count what is kept of a cohort's reports: sections, sentences, characters. No text is shown or written.

    Args:
        datalist: the cohort's datalist.json.
        sections: as in the training, such as findings,impression.
        drop_comparisons: also leave out sentences that compare with an earlier study, as the training's
            --drop_comparisons does.
        text_encoder: also count what this encoder's vocabulary knows only as [UNK]: a folder or a Hugging Face name.
        out_file: JSON file for the counts and all the cases named; nothing is written without it.
        overwrite: replace out_file where it is there.
    """
    from t3d.data.datalist import SPLITS, read_datalist
    from t3d.files import refuse_existing, write_json
    from t3d.reports.loss import count_loss, say_loss

    drop, overwrite = flag("drop_comparisons", drop_comparisons), flag("overwrite", overwrite)
    target = None if out_file is None else Path(str(out_file)).expanduser()
    if target is not None:
        refuse_existing(target, overwrite=overwrite, option="--out_file")
    names = tuple(sections.replace(" ", "").split(",")) if isinstance(sections, str) else tuple(sections)
    tokenizer = _tokenizer(text_encoder, names, drop) if text_encoder else None
    counts, unknown = {}, {}
    content = read_datalist(Path(str(datalist)).expanduser())
    raise_faults(_no_reports({split: content.get(split, []) for split in SPLITS}), Path(str(datalist)).name)
    for split, items in content.items():
        if split in SPLITS and items:
            counts[split] = count_loss(items, sections=names, drop=drop)
            say_loss(counts[split], split)
            if tokenizer is not None:
                unknown[split] = _unknown(tokenizer, items)
                unknown[split].say(tokenizer.name, list_name=split)
    if not counts:
        raise T3DError(f'{datalist} has no cases in the lists "training", "validation" and "test"; add some')
    if target is not None:
        content = {
            "sections": list(names),
            "drop_comparisons": drop,
            "lists": {split: loss.as_dict() for split, loss in counts.items()},
        }
        if tokenizer is not None:
            content["unknown_tokens"] = {split: found.as_dict() for split, found in unknown.items()}
        write_json(target, content)
        logger.info("counts in %s", target)


def _no_reports(content: Mapping[str, Any]) -> list[str]:
    """Items that are no cases, and reports that are no plain text: nothing can be counted of them."""
    faults = []
    for split, items in content.items():
        for number, item in enumerate(items):
            if not isinstance(item, dict):
                faults.append(
                    f"{split}[{number}]: is a {type(item).__name__}; make it an object with case_id and report"
                )
            elif isinstance(item.get("report"), str) and (fault := report_format_fault(item["report"])):
                faults.append(f"case {item.get('case_id', '?')}: report {fault}")
    return faults


def _tokenizer(name: str, sections: tuple[str, ...], drop: bool) -> Any:
    from t3d.networks.text_encoder import load_tokenizer
    from t3d.reports.tokens import ReportTokenizer

    tokenizer = load_tokenizer(name)
    longest = min(512, tokenizer.model_max_length)
    return ReportTokenizer(tokenizer, max_tokens=longest, sections=sections, drop_comparisons=drop)


def _unknown(tokenizer: Any, items: list[dict[str, Any]]) -> Any:
    unknown = tokenizer.unknown_tokens()
    for item in items:
        if isinstance(item.get("report"), str) and clean_report(item["report"]):
            case_id = str(item.get("case_id", "?"))
            tokens, number = tokenizer.read(item["report"], case_id)
            unknown.add(case_id, tokens.ids, number)
    return unknown
