"""The cohort of a plan: phantoms, a datalist, or published cohorts as their adapters read them."""

from collections.abc import Mapping
from typing import Any

from t3d.cohorts.collect import COHORTS
from t3d.study.plan_entries import nearest, unknown_names, whole_numbers

SPLITS = ("training", "validation", "test")
_KINDS = ("phantoms", "datalist", "published")
# lists that an adapter may have; `unlabelled` has no answers to measure against
_ADAPTER_LISTS = ("training", "validation", "test")

# What a plan may say of a published cohort, with its defaults:
#   root        where it lies, if --cohort_dir does not say
#   options     of its adapter
#   lists       of the study -> of the adapter
#   test_cases  taken out of its training list
#   folds       the training list as so many test lists
#   leave_out   case -> why
#   findings    name -> columns of the cohort, of which any one counts
#   classes     label table that it must have
#   cases       how many a list has where the cohort is whole
PUBLISHED: dict[str, Any] = {
    "root": None,
    "options": {},
    "lists": {name: [name] for name in SPLITS},
    "test_cases": [],
    "folds": None,
    "leave_out": {},
    "findings": None,
    "classes": None,
    "cases": {},
}


def read_cohort(given: Any, faults: list[str]) -> dict[str, Any]:
    """Check the entry ``cohort`` of a plan, whose paths are absolute, and fill in its defaults.

    Args:
        given: of the plan.
        faults: what is wrong is added here.
    """
    kinds = [name for name in _KINDS if name in given] if isinstance(given, Mapping) else []
    more = ("validation_share", "seed") if kinds == ["published"] else ()
    if len(kinds) != 1 or any(name not in (*kinds, *more) for name in given):
        faults.append('cohort must be {"phantoms": {..}}, {"datalist": "FILE"} or {"published": {"ct_rate": {..}}}')
        return {}
    if "datalist" in given:
        return {"datalist": str(given["datalist"])}
    content = given[kinds[0]]
    if not isinstance(content, Mapping) or not content:
        faults.append(f"cohort {kinds[0]} is {content!r}; give an object, see docs/study.md")
        return {}
    if "phantoms" in given:
        return {"phantoms": _phantoms(content, faults)}
    share = given.get("validation_share", 0.1)
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1:
        faults.append(f"cohort validation_share is {share!r}; give a share of the training patients, such as 0.1")
    cohorts = {str(name): _published(str(name), one, faults) for name, one in content.items()}
    if len(cohorts) > 1 and any(one["folds"] for one in cohorts.values()):
        faults.append("cohort published: folds are of one cohort; name only that one")
    return {"published": cohorts, "validation_share": share, "seed": given.get("seed", 0)}


def _phantoms(made: Mapping[str, Any], faults: list[str]) -> dict[str, Any]:
    unknown_names(made, (*SPLITS, "seed", "shape", "wordings"), "cohort phantoms", faults)
    if not whole_numbers([made.get("wordings", 1)], least=1):
        faults.append(f"cohort phantoms wordings is {made['wordings']!r}; give a number of wordings of each report")
    faults += [
        f"cohort phantoms {split} is {made.get(split)!r}; give the number of cases"
        for split in SPLITS
        if not whole_numbers([made.get(split)], least=1)
    ]
    return {"seed": 0, "shape": 64, **made}


def _published(name: str, given: Any, faults: list[str]) -> dict[str, Any]:
    where = f"cohort {name}"
    if name not in COHORTS:
        faults.append(f"{where} is not known{nearest(name, COHORTS)}")
    if not isinstance(given, Mapping):
        faults.append(f"{where} is {given!r}; give an object, {{}} for the cohort as it is")
        return dict(PUBLISHED)
    unknown_names(given, tuple(PUBLISHED), where, faults)
    read = {**PUBLISHED, **given}
    for key, kind, example in (
        ("options", Mapping, '{"one_per_scan": true}'),
        ("lists", Mapping, '{"test": ["validation"]}'),
        ("leave_out", Mapping, '{"CASE": "why"}'),
        ("test_cases", list, '["CASE"]'),
        ("cases", Mapping, '{"test": 100}'),
    ):
        if not isinstance(read[key], kind):
            faults.append(f"{where}: {key} is {read[key]!r}; give {example}")
            read[key] = PUBLISHED[key]
    for split, sources in read["lists"].items():
        if split not in SPLITS or not isinstance(sources, list) or not set(sources) <= set(_ADAPTER_LISTS):
            faults.append(
                f"{where}: lists has {split!r}: {sources!r}; both are of {', '.join(SPLITS)}, the second is a list"
            )
    folds = read["folds"]
    if folds is not None and not (
        isinstance(folds, Mapping)
        and set(folds) == {"count", "seed"}
        and whole_numbers([folds["count"]], least=2)
        and whole_numbers([folds["seed"]], least=0)
    ):
        faults.append(f'{where}: folds is {folds!r}; give {{"count": 5, "seed": 12345}}')
        read["folds"] = None
    if folds is not None and read["test_cases"]:
        faults.append(f"{where}: folds and test_cases both choose the test list; give one of them")
    for key, form in (("findings", '{"NAME": ["COLUMN"]}'), ("classes", '{"background": 0, "liver": 1}')):
        if read[key] is not None and not (isinstance(read[key], Mapping) and read[key]):
            faults.append(f"{where}: {key} is {read[key]!r}; give {form}")
            read[key] = None
    return read
