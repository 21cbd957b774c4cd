"""Kinds of sentences: told by rules, checked against the findings of phantoms; and what gauges make of them."""

import math

import numpy as np
import pytest
import torch

from t3d.evaluate.sentence_gauges import kind_table, sentence_values, summarise_kinds
from t3d.losses.sentence_answers import Answers
from t3d.phantoms.plan import plan_case
from t3d.phantoms.study import FINDINGS
from t3d.reports.clean import clean_report
from t3d.reports.findings_in_text import findings_in
from t3d.reports.sentence_counts import SentenceCounts
from t3d.reports.sentence_kinds import NAMES, claim, kind_flags, with_routine
from t3d.reports.spoken_sentences import spoken_sentences


def names(flags):
    return {name for place, name in enumerate(NAMES) if flags >> place & 1}


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("present", "Right upper lobe nodule without calcification."),
        ("present", "Consolidation, likely pneumonia."),
        ("present", "Not only atelectasis but an effusion, too."),
        ("absent", "There is no pleural effusion or pneumothorax."),
        ("absent", "Pleural effusion is not seen."),
        ("absent", "The aortic wall is free of calcification."),
        ("absent", "The spleen is not enlarged."),
        ("absent", "CT shows no consolidation."),
        ("normal", "The heart is normal in size."),
        ("normal", "No acute abnormality of the chest or abdomen."),
        ("normal", "Spleen 11.2 cm, unremarkable."),
        ("uncertain", "Possible small hiatal hernia."),
        ("uncertain", "Malignancy cannot be excluded."),
    ],
)
def test_the_claim_of_a_sentence(kind, sentence):
    assert claim(sentence) == kind


def test_what_impressions_state_is_what_phantoms_have():
    assert set(FINDINGS) <= set(NAMES)
    for index in range(60):
        case = plan_case(3, index)
        asked = [one.text for one in spoken_sentences(clean_report(case.report)) if one.asked]
        stated = {name for text in asked if claim(text) == "present" for name in findings_in(text)}
        assert stated & set(FINDINGS) == {name for name, there in case.study.findings.items() if there}


def test_other_languages_get_no_kinds_rather_than_wrong_ones():
    assert not kind_flags(["Kein Pleuraerguss.", "Herz normal.", "Rundherd im rechten Oberlappen."]).any()
    assert not kind_flags(["No se observa derrame pleural.", "Corazón normal.", "Nódulo en el pulmón derecho."]).any()
    assert kind_flags(["No pleural effusion.", "Normal heart."]).all()
    assert not kind_flags(["没有胸腔积液。"]).any() and kind_flags([]).shape == (0,)


def test_flags_hold_claim_findings_and_routine():
    flags = kind_flags(["No pleural effusion.", "There is a lung nodule and a renal cyst."])
    assert [names(flag) for flag in flags] == [
        {"absent", "pleural_effusion"},
        {"present", "lung_nodule", "kidney_cyst"},
    ]
    counts = SentenceCounts([(7, 3), (8, 2), (9, 40)], cases=100)
    assert counts.routine(np.array([7, 8, 9, 10])).tolist() == [True, False, True, False]
    assert SentenceCounts([(7, 3)], cases=1000).routine(np.array([7])).tolist() == [False]
    assert names(with_routine(flags, np.array([True, False]))[0]) == {"absent", "pleural_effusion", "routine"}


def flag(*wanted):
    return sum(1 << NAMES.index(name) for name in wanted)


def test_values_of_kinds_are_those_of_a_plain_loop():
    generator = torch.Generator().manual_seed(0)
    cases, each = 5, 4
    volume, sentence = (torch.randn(n, 6, generator=generator) for n in (cases, cases * each))
    owner = torch.arange(cases).repeat_interleave(each)
    owner[3] = -1
    right = torch.nn.functional.one_hot(owner.clamp_min(0), cases).bool()
    right[7, 4] = True
    unclear = torch.zeros_like(right)
    unclear[9, 0] = True
    asked = (owner >= 0) & (torch.arange(len(owner)) != 12)
    present, absent = flag("present", "emphysema"), flag("absent", "routine")
    kind = torch.where(torch.arange(len(owner)) % 3 == 0, absent, present)
    kind[owner == 4] = present
    values = sentence_values(volume, sentence, Answers(right, unclear, asked, owner), kind=kind, cases=cases)
    for name, mask in (("present", present), ("emphysema", present), ("absent", absent), ("routine", absent)):
        place = NAMES.index(name)
        for case in range(cases):
            hits, chances = [], []
            for s in range(len(owner)):
                if asked[s] and owner[s] == case and kind[s] == mask:
                    similarity = sentence[s] @ volume.T
                    wrong = ~right[s] & ~unclear[s]
                    hits.append(float(similarity[right[s]].max() > similarity[wrong].max()))
                    chances.append(int(right[s].sum()) / int((right[s] | wrong).sum()))
            assert values["kind_asked"][case, place] == len(hits)
            if hits:
                assert float(values["kind_hit"][case, place]) == pytest.approx(sum(hits) / len(hits))
                assert float(values["kind_chance"][case, place]) == pytest.approx(sum(chances) / len(chances))
            else:
                assert math.isnan(values["kind_hit"][case, place])
    assert set(summarise_kinds(values | {"patient": torch.arange(cases)})) == {
        "present", "absent", "routine", "emphysema"
    }  # fmt: skip
    without = sentence_values(volume, sentence, Answers(right, unclear, asked, owner), cases=cases)
    assert set(without) == {"sentence_hit", "sentence_chance"} and summarise_kinds(without) is None
    assert torch.equal(without["sentence_hit"], values["sentence_hit"])


def test_few_sentences_are_said_as_such():
    asked = torch.zeros(10, len(NAMES))
    asked[:, NAMES.index("present")] = 2
    asked[:9, NAMES.index("uncertain")] = 1
    values = {
        "kind_asked": asked,
        "kind_hit": torch.full_like(asked, 0.5),
        "kind_chance": torch.full_like(asked, 0.25),
        "patient": torch.arange(10),
    }
    kinds = summarise_kinds(values)
    assert kinds["present"] == {
        "sentences": 20, "accuracy": 0.5, "interval": [0.5, 0.5], "chance": 0.25, "too_few": False
    }  # fmt: skip
    assert kinds["uncertain"]["too_few"]
    assert kind_table(kinds)[2:] == [
        "| present | 20 | 50.0% (50.0% to 50.0%) | 25.0% |",
        "| uncertain | 9 | too few to say (below 20) | 25.0% |",
    ]
