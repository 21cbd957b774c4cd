"""Which part of the body a report speaks of, by the words in it.

A simple count of anatomical words, ours. It only says that a report is unlike the others; it is no classifier.
"""

import re
from collections.abc import Iterable

import numpy as np

_WORDS = {
    "head": (
        "brain intracranial cerebral cerebellar cerebellum calvarium skull ventricular hemispheres cortical "
        "pituitary orbits orbital sella midline subdural subarachnoid mastoid paranasal sinuses sinus frontal "
        "parietal occipital temporal basal ganglia brainstem"
    ),
    "neck": (
        "thyroid larynx pharynx oropharynx nasopharynx parotid submandibular tonsil epiglottis carotid hyoid vocal"
    ),
    "chest": (
        "lung lungs pulmonary pleural pleura mediastinal mediastinum hilar bronchus bronchial trachea aortic "
        "aorta cardiac heart pericardial lobe lobes thorax thoracic chest pneumothorax rib ribs atelectasis "
        "airway axillary"
    ),
    "abdomen": (
        "liver hepatic spleen splenic pancreas pancreatic gallbladder kidney kidneys renal adrenal adrenals "
        "bowel colon colonic stomach gastric duodenum ascites mesenteric retroperitoneal biliary abdomen "
        "abdominal appendix"
    ),
    "pelvis": (
        "bladder prostate uterus uterine ovary ovaries ovarian adnexal rectum rectal pelvis pelvic seminal "
        "sigmoid inguinal"
    ),
    "spine": (
        "vertebral vertebrae disc disk foraminal lumbar cervical lordosis spinal cord thecal facet canal "
        "sacrum l4 l5 l4-l5 l5-s1 c5-c6 c6-c7 spondylolisthesis"
    ),
    "limb": (
        "knee meniscus ligament tendon femur femoral tibia tibial fibula patella ankle foot toe wrist hand "
        "finger elbow humerus humeral radius ulna shoulder rotator glenoid acromioclavicular metatarsal "
        "calcaneus hip joint"
    ),
    "breast": ("mammogram mammography mammographic breast breasts microcalcifications bi-rads fibroglandular nipple"),
    "pregnancy": (
        "fetal fetus gestational gestation placenta amniotic biparietal cephalic embryo trimester umbilical"
    ),
}
REGIONS = tuple(_WORDS)
_OWNER = {word: place for place, words in enumerate(_WORDS.values()) for word in words.split()}
# Ours: a region is the cohort's own when this share of the reports speaks of it; a report is unlike the others when it
# has this many different words of a foreign region and fewer than two of all the cohort's own.
OWN_SHARE = 0.1
FOREIGN_WORDS = 4
LEAST_REPORTS = 20


def region_words(text: str) -> np.ndarray:
    """Different words per region: (len(REGIONS),) uint8."""
    counts = np.zeros(len(REGIONS), np.uint8)
    for word in set(re.findall(r"[a-z0-9]+(?:-[a-z0-9]+)*", text.lower())):
        if word in _OWNER:
            counts[_OWNER[word]] += 1
    return counts


def foreign_reports(counts: np.ndarray) -> Iterable[tuple[int, str]]:
    """Rows that speak of a part of the body that the cohort does not, and which.

    Args:
        counts: (N, len(REGIONS)), rows of ``region_words``; empty reports are rows of 0.
    """
    told = counts.sum(axis=1) > 0
    if told.sum() < LEAST_REPORTS:
        return  # too few to know what the cohort is about
    own = (counts[told] >= 2).mean(axis=0) >= OWN_SHARE
    if not own.any():
        return
    for row in np.flatnonzero((counts[:, ~own] >= FOREIGN_WORDS).any(axis=1) & (counts[:, own].sum(axis=1) < 2)):
        yield int(row), REGIONS[int(np.argmax(np.where(own, 0, counts[row])))]
