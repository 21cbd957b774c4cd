"""What the gauges say, in words."""

from typing import NamedTuple

# Below this many held-out cases an interval over patients says nothing (ours).
LEAST_CASES = 8
# A report counts as used where it gains this much (ours): so many nats of the contrast's loss, a hundredth of the
# restoration's error.
LEAST_CONTRAST_GAIN = 0.01
LEAST_RESTORATION_SHARE = 0.01


class Verdict(NamedTuple):
    """One sentence, and the word for the trouble that it describes; None where all is well."""

    trouble: str | None
    words: str

    def __str__(self) -> str:
        """As it is logged and written."""
        return f"{self.trouble}: {self.words}" if self.trouble else self.words


def verdict(gauges: dict) -> list[Verdict]:
    """Turn gauges (see ``t3d.evaluate.gauges.summarise``) into sentences, the worst first.

    The rules are ours: a gauge differs from its reference when the reference lies outside its 95 % interval. With
    fewer than eight cases there is one sentence, which says that they are too few.
    """
    if gauges["cases"] < LEAST_CASES:
        return [
            Verdict(
                "TOO FEW CASES",
                f"{gauges['cases']} held-out cases cannot show whether the contrast, the restoration or the report "
                f"works; put at least {LEAST_CASES} into the list, better 50.",
            )
        ]
    said = [*_about_contrast(gauges), *_about_spread(gauges), *_about_restoration(gauges)]
    said += [*_about_sentences(gauges), *_about_text(gauges)]
    return sorted(said, key=lambda one: one.trouble is None)


def _about_contrast(gauges: dict) -> list[Verdict]:
    if gauges["tic_accuracy"] is None:
        return []
    said = []
    chance = gauges["tic_chance"]
    low, high = gauges["tic_accuracy_interval"]
    if gauges["tic_shortcut_interval"][0] > chance:
        said.append(
            Verdict(
                "SHORTCUT",
                "with noise in place of the images the contrast still finds the right volume in "
                f"{gauges['tic_shortcut']:.1%} of the draws (chance {chance:.1%}). The text alone answers, so the "
                "encoder learns nothing from it: use candidates image or shared_report.",
            )
        )
    found = f"tic_accuracy is {gauges['tic_accuracy']:.1%} ({low:.1%} to {high:.1%}), chance"
    excess = gauges.get("tic_loss_excess_interval")
    if low <= chance:
        said.append(Verdict("NOT LEARNT", f"{found} is {chance:.1%}. Train longer, or raise view_overlap."))
    elif excess is not None and excess[1] >= 0:
        said.append(Verdict("NOT LEARNT", f"{found} {chance:.1%}, but {_guessing(gauges)}"))
    else:
        said.append(Verdict(None, f"{found} {chance:.1%}."))
    histogram = gauges.get("tic_histogram")
    if histogram is not None and histogram >= high:
        said.append(
            Verdict(
                "HISTOGRAM",
                f"a histogram of intensities, which learns nothing, finds the right volume in {histogram:.1%}: "
                "the contrast can be answered without looking at shapes. Raise jitter.",
            )
        )
    return said


def _guessing(gauges: dict) -> str:
    """Of a held-out loss that is no lower than that of a guess."""
    loss, excess = gauges["tic_loss"], gauges["tic_loss_excess"]
    low, high = gauges["tic_loss_excess_interval"]
    told = f"the contrast's loss is {loss:.3f} where log(candidates), a guess, has {loss - excess:.3f}"
    if low > 0:
        return f"{told}: worse than a guess. What was learnt does not hold for other cases; train on more of them."
    return f"{told} (difference {low:+.3f} to {high:+.3f}). Train longer, or raise view_overlap."


def _about_spread(gauges: dict) -> list[Verdict]:
    spread = min(gauges["draws"] - 1, gauges["embedding_width"])
    if gauges["effective_rank"] >= max(2.0, 0.05 * spread):
        return []
    return [
        Verdict(
            "COLLAPSED",
            f"the embeddings fill {gauges['effective_rank']:.1f} of {spread} possible directions. "
            "Lower learning_rate, raise batch_size, or train longer.",
        )
    ]


def _about_restoration(gauges: dict) -> list[Verdict]:
    if gauges["restoration_error"] is None:
        return []
    if gauges["restoration_error_interval"][1] < gauges["corrupted_input_error"]:
        return []
    return [
        Verdict(
            "NOT RESTORED",
            f"the restored crops (L1 {gauges['restoration_error']:.4f}) are no better than the "
            f"corrupted ones ({gauges['corrupted_input_error']:.4f}).",
        )
    ]


def _about_sentences(gauges: dict) -> list[Verdict]:
    if gauges.get("sentence_accuracy") is None:
        return []
    low, high = gauges["sentence_accuracy_interval"]
    chance = gauges["sentence_chance"]
    found = (
        f"{gauges['sentence_accuracy']:.1%} ({low:.1%} to {high:.1%}) of the held-out sentences find a volume that "
        f"says them, chance {chance:.1%}"
    )
    if _sentences_learnt(gauges):
        return [Verdict(None, f"The encoder holds what reports say: {found}."), *_about_findings(gauges)]
    return [Verdict("SENTENCES NOT LEARNT", f"{found}. Train longer, or on more cases.")]


def _about_findings(gauges: dict) -> list[Verdict]:
    """Where the sentences that state a finding are not among those that are learnt."""
    present = (gauges.get("sentence_kinds") or {}).get("present")
    if present is None or present["too_few"] or present["interval"][0] > present["chance"]:
        return []
    low, high = present["interval"]
    return [
        Verdict(
            "FINDINGS NOT LEARNT",
            f"of the sentences that state a finding {present['accuracy']:.1%} ({low:.1%} to {high:.1%}) find a volume "
            f"that says them, chance {present['chance']:.1%}: what is learnt is what is absent or normal. Train "
            "longer, or on more cases.",
        )
    ]


def _sentences_learnt(gauges: dict) -> bool:
    interval = gauges.get("sentence_accuracy_interval")
    return interval is not None and interval[0] > gauges["sentence_chance"]


def _about_text(gauges: dict) -> list[Verdict]:
    least = {
        "contrast": LEAST_CONTRAST_GAIN,
        "restoration": LEAST_RESTORATION_SHARE * (gauges["restoration_error"] or 0),
    }
    intervals = {name: gauges[f"text_gain_{name}_interval"] for name in least}
    least = {name: value for name, value in least.items() if intervals[name] is not None}
    if not least:
        return []
    gains = {name: gauges[f"text_gain_{name}"] for name in least}
    used = [name for name in least if intervals[name][0] > 0 and gains[name] >= least[name]]
    if not used and _sentences_learnt(gauges):
        tasks = " and the ".join(least)
        return [
            Verdict(
                None,
                f"In the {tasks} another case's report serves as well as the right one: "
                "what is learnt from reports is learnt from their sentences.",
            )
        ]
    if not used:
        return [
            Verdict(
                "TEXT UNUSED",
                "another case's report serves as well as the right one. Train with sentences (sentence_weight) "
                "or longer; the vision-only twin costs less and does the same.",
            )
        ]
    numbers = ", ".join(f"{name} {gains[name]:+.4f}" for name in used)
    return [Verdict(None, f"The report is used: gain of the right report over another one, {numbers}.")]
