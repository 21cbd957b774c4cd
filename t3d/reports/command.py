"""The command `t3d reports`: what the training will read of a cohort's reports, and what it leaves out."""

import logging
from pathlib import Path

from t3d.errors import T3DError
from t3d.flag import flag

logger = logging.getLogger(__name__)


def reports(
    datalist: str,
    *,
    sections: str | tuple[str, ...] = ("findings", "impression"),
    drop_comparisons: bool = False,
    out_file: str | None = None,
    overwrite: bool = False,
) -> None:
    """Count what is kept of a cohort's reports: sections, sentences, characters. No text is shown or written.

    Args:
        datalist: the cohort's datalist.json.
        sections: as in the training, such as findings,impression.
        drop_comparisons: also leave out sentences that compare with an earlier study, as the training's
            --drop_comparisons does.
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
    counts = {}
    for split, items in read_datalist(Path(str(datalist)).expanduser()).items():
        if split in SPLITS and items:
            counts[split] = count_loss(items, sections=names, drop=drop)
            say_loss(counts[split], split)
    if not counts:
        raise T3DError(f'{datalist} has no cases in the lists "training", "validation" and "test"; add some')
    if target is not None:
        content = {
            "sections": list(names),
            "drop_comparisons": drop,
            "lists": {split: loss.as_dict() for split, loss in counts.items()},
        }
        write_json(target, content)
        logger.info("counts in %s", target)
