"""What a report says about lungs, pleura, heart, aorta and the chest wall."""

import numpy as np

from t3d.phantoms.report_wall import wall_sentences
from t3d.phantoms.study import Lesion, Study
from t3d.phantoms.torso import HALF_WIDTH
from t3d.phantoms.wording import NUMBERS, Sentence, capital, length, listed, pick


def chest_sentences(study: Study, rng: np.random.Generator) -> list[Sentence]:
    """Sentences from the lungs outwards; normal statements and negations where nothing was found."""
    return [
        *_lungs(study, rng),
        *_pleura(study, rng),
        *_heart(study, rng),
        *_aorta(study, rng),
        *wall_sentences(study, rng),
    ]


def _site(lesion: Lesion) -> str:
    return f"{lesion.side} {lesion.place}"


def _lungs(study: Study, rng: np.random.Generator) -> list[Sentence]:
    sentences = []
    nodules = study.of("lung_nodule")
    if nodules:
        sentences.append(_nodules(nodules, rng))
    patch = study.of("consolidation")
    if patch:
        site, size = _site(patch[0]), length(rng, patch[0].size_mm)
        text = [
            f"There is airspace consolidation in the {site} measuring {size}.",
            f"Focal consolidation is seen in the {site}, about {size} across.",
            f"Dense opacity of the {site} extending over {size}, in keeping with consolidation.",
        ]
        close = [f"{capital(site)} consolidation, likely pneumonia.", f"Consolidation in the {site}."]
        sentences.append(Sentence(pick(rng, text), pick(rng, close)))
    bullae = study.of("emphysema")
    if bullae:
        grade = "severe" if len(bullae) > 10 else "moderate" if len(bullae) > 6 else "mild"
        size = length(rng, bullae[0].size_mm)
        text = [
            f"{capital(grade)} bullous emphysema, the largest bulla {size} in the {_site(bullae[0])}.",
            f"There is {grade} upper lobe predominant emphysema with bullae up to {size}.",
        ]
        sentences.append(Sentence(pick(rng, text), f"{capital(grade)} emphysema."))
    absent = [
        name
        for name, found in (("pulmonary nodule", nodules), ("consolidation", patch), ("emphysema", bullae))
        if not found
    ]
    if len(absent) == 3 and rng.uniform() < 0.6:
        ways = [
            "The lungs are clear.",
            "Both lungs are clear without focal opacity.",
            "No focal lung abnormality.",
        ]
        sentences.append(Sentence(pick(rng, ways)))
    elif absent:
        said = " or ".join(absent)
        sentences.append(Sentence(pick(rng, [f"No {said}.", f"There is no {said}.", f"No evidence of {said}."])))
    return sentences


def _nodules(nodules: list[Lesion], rng: np.random.Generator) -> Sentence:
    sizes = [length(rng, nodule.size_mm) for nodule in nodules]
    if len(nodules) == 1:
        what = "mass" if nodules[0].size_mm > 30 else "nodule"
        site = _site(nodules[0])
        text = [
            f"A solid {what} in the {site} measures {sizes[0]}.",
            f"There is a {sizes[0]} {what} in the {site}.",
            f"{capital(site)} {what} of {sizes[0]}.",
        ]
        return Sentence(
            pick(rng, text),
            pick(rng, [f"Solitary {site} {what}, {sizes[0]}.", f"{capital(what)} in the {site}."]),
        )
    each = listed([f"{size} in the {_site(nodule)}" for size, nodule in zip(sizes, nodules, strict=True)])
    count = NUMBERS[len(nodules)]
    text = [
        f"{capital(count)} pulmonary nodules: {each}.",
        f"There are {count} solid lung nodules measuring {each}.",
        f"Multiple pulmonary nodules are present, {each}.",
    ]
    close = [
        f"{capital(count)} pulmonary nodules, the largest {sizes[0]} in the {_site(nodules[0])}.",
        f"Multiple lung nodules up to {sizes[0]}.",
    ]
    return Sentence(pick(rng, text), pick(rng, close))


def _pleura(study: Study, rng: np.random.Generator) -> list[Sentence]:
    fluid = study.of("pleural_effusion")
    if not fluid:
        ways = [
            "No pleural effusion.",
            "There is no pleural effusion or pneumothorax.",
            "The pleural spaces are clear.",
        ]
        return [Sentence(pick(rng, ways))]
    amounts = ["large" if one.size_mm > 45 else "moderate" if one.size_mm > 30 else "small" for one in fluid]
    parts = listed([
        f"a {amount} {one.side} pleural effusion ({length(rng, one.size_mm)} deep)"
        for amount, one in zip(amounts, fluid, strict=True)
    ])  # fmt: skip
    verb = "is" if len(fluid) == 1 else "are"
    text = pick(rng, [f"There {verb} {parts}.", f"{capital(parts)}, layering posteriorly."])
    if len(fluid) == 2:
        return [Sentence(text, f"Bilateral pleural effusions, larger on the {fluid[0].side}.")]
    other = "left" if fluid[0].side == "right" else "right"
    text += pick(rng, [f" No {other} pleural effusion.", f" The {other} pleural space is clear.", ""])
    return [Sentence(text, f"{capital(amounts[0])} {fluid[0].side} pleural effusion.")]


def _heart(study: Study, rng: np.random.Generator) -> list[Sentence]:
    ratio = study.anatomy.heart_width / (2 * HALF_WIDTH)
    sentences = []
    if study.of("cardiomegaly"):
        grade = "marked" if ratio > 0.6 else "moderate" if ratio > 0.56 else "mild"
        text = [
            f"{capital(grade)} cardiomegaly, cardiothoracic ratio {ratio:.2f}.",
            f"The heart is enlarged with a cardiothoracic ratio of {ratio:.2f}.",
        ]
        sentences.append(Sentence(pick(rng, text), f"{capital(grade)} cardiomegaly."))
    else:
        text = [
            f"The heart is normal in size, cardiothoracic ratio {ratio:.2f}.",
            f"Heart size is within normal limits (cardiothoracic ratio {ratio:.2f}).",
            f"No cardiomegaly; the cardiothoracic ratio is {ratio:.2f}.",
        ]
        sentences.append(Sentence(pick(rng, text)))
    fluid = study.of("pericardial_effusion")
    if fluid:
        size = length(rng, fluid[0].size_mm)
        text = [
            f"Pericardial effusion of {size}.",
            f"There is a circumferential pericardial effusion, {size} thick.",
        ]
        sentences.append(Sentence(pick(rng, text), f"Pericardial effusion, {size}."))
    else:
        sentences.append(Sentence(pick(rng, ["No pericardial effusion.", "There is no pericardial effusion."])))
    return sentences


def _aorta(study: Study, rng: np.random.Generator) -> list[Sentence]:
    ascending, descending, abdominal = study.anatomy.aorta_mm
    calibre = f"{ascending:.0f} mm ascending, {descending:.0f} mm descending and {abdominal:.0f} mm abdominal"
    sentences = []
    widened = study.of("aortic_aneurysm")
    if widened:
        part, size = widened[0].place, length(rng, widened[0].size_mm)
        name = "abdominal aorta" if part == "abdominal" else f"{part} thoracic aorta"
        text = [
            f"Aneurysm of the {name} measuring {size}.",
            f"The {name} is aneurysmal with a diameter of {size}.",
        ]
        sentences.append(Sentence(pick(rng, text), f"{capital(name)} aneurysm, {size}."))
    else:
        text = [
            f"The aorta is of normal calibre ({calibre}).",
            f"No aortic aneurysm; the aorta measures {calibre}.",
        ]
        sentences.append(Sentence(pick(rng, text)))
    plaques = study.of("aortic_calcification")
    if plaques:
        grade = "severe" if len(plaques) > 18 else "moderate" if len(plaques) > 10 else "mild"
        text = [
            f"{capital(grade)} calcification of the aortic wall.",
            f"There is {grade} aortic atherosclerotic calcification.",
        ]
        sentences.append(Sentence(pick(rng, text), f"{capital(grade)} aortic calcification."))
    elif rng.uniform() < 0.7:
        sentences.append(
            Sentence(pick(rng, ["No aortic calcification.", "The aortic wall is free of calcification."]))
        )
    return sentences
