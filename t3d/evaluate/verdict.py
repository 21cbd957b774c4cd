"""What the gauges say, in words."""


def verdict(gauges: dict) -> list[str]:
    """Turn gauges (see ``t3d.evaluate.gauges.summarise``) into sentences, the worst first.

    The rules are ours: a gauge differs from its reference when the reference lies outside its 95 % interval.
    """
    said = []
    chance = gauges["tic_chance"]
    low, high = gauges["tic_accuracy_interval"]
    if gauges["tic_shortcut_interval"][0] > chance:
        said.append(
            f"SHORTCUT: with noise in place of the images the contrast still finds the right volume in "
            f"{gauges['tic_shortcut']:.1%} of the draws (chance {chance:.1%}). The text alone answers, so the encoder "
            "learns nothing from it: use candidates image or shared_report."
        )
    spread = min(gauges["draws"] - 1, gauges["embedding_width"])
    if gauges["effective_rank"] < max(2.0, 0.05 * spread):
        said.append(
            f"COLLAPSED: the embeddings fill {gauges['effective_rank']:.1f} of {spread} possible directions. "
            "Lower learning_rate, raise batch_size, or train longer."
        )
    if low <= chance:
        said.append(
            f"NOT LEARNT: tic_accuracy is {gauges['tic_accuracy']:.1%} ({low:.1%} to {high:.1%}), chance is "
            f"{chance:.1%}. Train longer, or raise view_overlap."
        )
    else:
        said.append(f"tic_accuracy is {gauges['tic_accuracy']:.1%} ({low:.1%} to {high:.1%}), chance {chance:.1%}.")
    if gauges["restoration_error_interval"][1] >= gauges["corrupted_input_error"]:
        said.append(
            f"NOT RESTORED: the restored crops (L1 {gauges['restoration_error']:.4f}) are no better than the "
            f"corrupted ones ({gauges['corrupted_input_error']:.4f})."
        )
    return said + _about_text(gauges)


def _about_text(gauges: dict) -> list[str]:
    gains = {name: gauges[f"text_gain_{name}_interval"] for name in ("contrast", "restoration")}
    if any(interval is None for interval in gains.values()):
        return []
    used = [name for name, interval in gains.items() if interval[0] > 0]
    if not used:
        return [
            "TEXT UNUSED: another case's report serves as well as the right one. Raise corruption (0.7 or more), add "
            "align.json, or train longer; the vision-only twin costs less and does the same."
        ]
    numbers = ", ".join(f"{name} {gauges[f'text_gain_{name}']:+.4f}" for name in used)
    return [f"The report is used: gain of the right report over another one, {numbers}."]
