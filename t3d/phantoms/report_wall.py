"""What a report says about habitus, chest wall and spine."""

import numpy as np

from t3d.phantoms.study import Study
from t3d.phantoms.torso import HALF_WIDTH
from t3d.phantoms.wording import Sentence, capital, pick


def wall_sentences(study: Study, rng: np.random.Generator) -> list[Sentence]:
    """Sentences on build, thorax, spine and ribs."""
    anatomy = study.anatomy
    fat = anatomy.fat_mm
    habitus = "obese" if fat > 30 else "overweight" if fat > 20 else "average" if fat > 11 else "slender"
    width = 2 * HALF_WIDTH * anatomy.frame[0] / 10
    text = [
        f"{capital(habitus)} body habitus with {fat:.0f} mm of subcutaneous fat.",
        f"The patient is of {habitus} build, subcutaneous fat {fat:.0f} mm.",
    ]
    sentences = [Sentence(pick(rng, text)), Sentence(f"The thorax is {width:.1f} cm wide.")]
    curve = anatomy.scoliosis
    if abs(curve) > 5:
        side = "right" if curve > 0 else "left"
        sentences.append(Sentence(f"Thoracic scoliosis convex to the {side}."))
    else:
        sentences.append(Sentence(pick(rng, ["The spine is straight.", "Normal alignment of the spine."])))
    if rng.uniform() < 0.5:
        sentences.append(
            Sentence(pick(rng, ["No rib fracture.", "No aggressive bone lesion.", "The bones are intact."]))
        )
    return sentences
