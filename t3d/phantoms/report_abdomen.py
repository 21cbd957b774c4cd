"""What a report says about liver, spleen, kidneys and stomach."""

import numpy as np

from t3d.phantoms.study import Lesion, Study
from t3d.phantoms.wording import NUMBERS, Sentence, capital, centimetres, length, listed, pick


def abdomen_sentences(study: Study, rng: np.random.Generator) -> list[Sentence]:
    """Sentences on the upper abdomen; normal statements and negations where nothing was found."""
    return [*_liver(study, rng), *_spleen(study, rng), *_kidneys(study, rng), *_stomach(study, rng)]


def _liver(study: Study, rng: np.random.Generator) -> list[Sentence]:
    anatomy = study.anatomy
    size = centimetres(anatomy.liver_length * anatomy.frame[2])
    sentences = [Sentence(pick(rng, [f"The liver measures {size}.", f"Liver span {size} in the midclavicular line."]))]
    reach = "extends far to the left" if anatomy.liver_left > 75 else "is small" if anatomy.liver_left < 52 else ""
    if reach:
        sentences.append(Sentence(f"The left hepatic lobe {reach}."))
    if study.of("hepatic_steatosis"):
        text = [
            "Diffusely decreased attenuation of the liver, in keeping with steatosis.",
            "Diffuse hepatic steatosis.",
        ]
        sentences.append(Sentence(pick(rng, text), "Hepatic steatosis."))
    else:
        sentences.append(
            Sentence(
                pick(
                    rng,
                    ["Normal attenuation of the liver.", "No hepatic steatosis.", "There is no steatosis."],
                )
            )
        )
    lesions = study.of("liver_lesion")
    if not lesions:
        sentences.append(Sentence(pick(rng, ["No focal liver lesion.", "No focal hepatic abnormality is seen."])))
        return sentences
    sizes = [length(rng, one.size_mm) for one in lesions]
    each = listed([f"{size} in the {one.place}" for size, one in zip(sizes, lesions, strict=True)])
    if len(lesions) == 1:
        text = [
            f"Hypodense liver lesion, {each}.",
            f"There is a {sizes[0]} hypoattenuating lesion in the {lesions[0].place}.",
        ]
        close = f"Indeterminate lesion of the {lesions[0].place}, {sizes[0]}."
    else:
        count = NUMBERS[len(lesions)]
        text = [
            f"{capital(count)} hypodense liver lesions: {each}.",
            f"There are {count} focal liver lesions, {each}.",
        ]
        close = f"{capital(count)} liver lesions, the largest {each.split(',')[0].split(' and ')[0]}."
    sentences.append(Sentence(pick(rng, text), close))
    return sentences


def _spleen(study: Study, rng: np.random.Generator) -> list[Sentence]:
    size = centimetres(study.anatomy.spleen_length * study.anatomy.frame[2])
    if study.of("splenomegaly"):
        text = [f"The spleen is enlarged, measuring {size}.", f"Splenomegaly with a length of {size}."]
        return [Sentence(pick(rng, text), f"Splenomegaly, {size}.")]
    text = [
        f"The spleen is normal in size at {size}.",
        f"Spleen {size}, unremarkable.",
        f"No splenomegaly ({size}).",
    ]
    return [Sentence(pick(rng, text))]


def _kidneys(study: Study, rng: np.random.Generator) -> list[Sentence]:
    anatomy = study.anatomy
    right, left = (centimetres(one * anatomy.frame[2]) for one in anatomy.kidney_length)
    text = [
        f"The right kidney measures {right} and the left kidney {left}.",
        f"Kidney lengths are {right} on the right and {left} on the left.",
    ]
    sentences = [Sentence(pick(rng, text))]
    if not study.of("kidney_stone") and not study.of("kidney_cyst"):
        ways = [
            "No renal calculus or cyst.",
            "Neither kidney shows a calculus or a cyst.",
            "Both kidneys are unremarkable.",
        ]
        return [*sentences, Sentence(pick(rng, ways))]
    for name, finding in (("renal calculus", "kidney_stone"), ("renal cyst", "kidney_cyst")):
        found = study.of(finding)
        if found:
            sentences.append(_in_kidneys(found, name, rng))
        else:
            ways = [f"No {name}.", f"There is no {name} on either side.", f"No {name} is identified."]
            sentences.append(Sentence(pick(rng, ways)))
    if rng.uniform() < 0.3:
        sentences.append(Sentence("No hydronephrosis."))
    return sentences


def _in_kidneys(found: list[Lesion], name: str, rng: np.random.Generator) -> Sentence:
    plural = {"renal calculus": "renal calculi", "renal cyst": "renal cysts"}[name]
    sizes = [length(rng, one.size_mm) for one in found]
    sites = [f"{one.place} of the {one.side} kidney" for one in found]
    if len(found) == 1:
        text = [
            f"A {sizes[0]} {name} lies in the {sites[0]}.",
            f"{capital(name)} of {sizes[0]} in the {sites[0]}.",
            f"There is a {name} in the {sites[0]} measuring {sizes[0]}.",
        ]
        close = f"{capital(found[0].side)} {name}, {sizes[0]}."
    else:
        each = listed([f"{size} in the {site}" for size, site in zip(sizes, sites, strict=True)])
        count = NUMBERS[len(found)]
        text = [f"{capital(count)} {plural}: {each}.", f"There are {count} {plural}, {each}."]
        sides = {one.side for one in found}
        where = "Bilateral" if len(sides) == 2 else capital(found[0].side)
        close = f"{where} {plural} up to {sizes[0]}."
    return Sentence(pick(rng, text), close)


def _stomach(study: Study, rng: np.random.Generator) -> list[Sentence]:
    size = study.anatomy.stomach
    state = "distended" if size > 1.12 else "collapsed" if size < 0.85 else "moderately filled"
    gas = "mostly with gas" if study.anatomy.gas > 0.5 else "mostly with fluid"
    return [Sentence(f"The stomach is {state}, {gas}.")]
