"""The radiologist's report of a study: FINDINGS and IMPRESSION."""

import numpy as np

from t3d.phantoms.report_abdomen import abdomen_sentences
from t3d.phantoms.report_chest import chest_sentences
from t3d.phantoms.study import Study
from t3d.phantoms.wording import Sentence, pick


def write_report(study: Study, rng: np.random.Generator) -> str:
    """Text with the sections FINDINGS and IMPRESSION, each sentence worded at random from several ways.

    The text depends on the study alone, never on the rendered image or its shape, and says only what the
    image shows: lesions with size, number and place, organ sizes, habitus, contrast.
    """
    chest, abdomen = chest_sentences(study, rng), abdomen_sentences(study, rng)
    opening = Sentence(
        pick(
            rng,
            [
                "Portal venous phase with intravenous contrast.",
                "Contrast-enhanced study of the chest and abdomen.",
            ]
            if study.contrast
            else ["Study without intravenous contrast.", "Non-contrast study of the chest and abdomen."],
        )
    )
    sentences = [opening, *chest, *abdomen]
    conclusions = [one.conclusion for one in sentences if one.conclusion]
    if not conclusions:
        conclusions = [
            pick(
                rng,
                [
                    "No acute abnormality of the chest or abdomen.",
                    "Normal examination.",
                    "No evidence of acute disease in the chest and upper abdomen.",
                ],
            )
        ]
    numbered = len(conclusions) > 1
    lines = [f"{number}. {text}" if numbered else text for number, text in enumerate(conclusions, 1)]
    return "FINDINGS:\n" + " ".join(one.text for one in sentences) + "\nIMPRESSION:\n" + "\n".join(lines)
