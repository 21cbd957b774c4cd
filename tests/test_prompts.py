"""Prompt files: the package's own, a user's, and faulty ones."""

import json

import pytest

from t3d.errors import T3DError
from t3d.phantoms.study import FINDINGS
from t3d.reports.prompts import choose_prompts, finding_name, read_prompts

# the columns of CT-RATE's label files
CT_RATE = (
    "Medical material", "Arterial wall calcification", "Cardiomegaly", "Pericardial effusion",
    "Coronary artery wall calcification", "Hiatal hernia", "Lymphadenopathy", "Emphysema", "Atelectasis",
    "Lung nodule", "Lung opacity", "Pulmonary fibrotic sequela", "Pleural effusion", "Mosaic attenuation pattern",
    "Peribronchial thickening", "Consolidation", "Bronchiectasis", "Interlobular septal thickening",
)  # fmt: skip


def test_the_package_has_prompts_for_the_phantoms_and_for_ct_rate():
    prompts = read_prompts()
    assert set(FINDINGS) <= set(prompts)
    assert len(CT_RATE) == 18
    assert {finding_name(name) for name in CT_RATE} <= set(prompts)


def test_no_wording_stands_on_both_sides_and_all_are_sentences():
    for name, pair in read_prompts().items():
        assert not {text.lower() for text in pair.positive} & {text.lower() for text in pair.negative}, name
        assert len(pair.positive) >= 2 and len(pair.negative) >= 2, name
        for text in (*pair.positive, *pair.negative):
            assert text[0].isupper() and text.endswith("."), text


def test_a_users_file_and_a_choice(tmp_path):
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"findings": {"Gallstone": {"positive": ["A stone."], "negative": ["None.", "No."]}}}))
    prompts = read_prompts(file)
    assert prompts["gallstone"].negative == ("None.", "No.")
    assert list(choose_prompts(prompts, ["Gallstone"])) == ["Gallstone"]
    assert choose_prompts(prompts, "gallstone") == prompts == choose_prompts(prompts, None)
    with pytest.raises(T3DError, match=r"findings nodule: no prompts .* gallstone.*--prompts_file"):
        choose_prompts(prompts, ["gallstone", "nodule"])
    with pytest.raises(T3DError, match=r"findings \[\]"):
        choose_prompts(prompts, [])
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert read_prompts(file) == prompts


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no file of prompts: it is not valid JSON .*; make it {"),
        ("[]", "it holds a list"),
        ('{"findings": []}', 'it has no object "findings"; make it {"findings"'),
        ('{"findings": {}}', "has no findings"),
        ('{"findings": {"a": {"positive": ["x"]}}}', "a has no negative wordings"),
        ('{"findings": {"a": {"positive": "x", "negative": ["y"]}}}', "a has no positive wordings"),
        ('{"findings": {"a": {"positive": [" "], "negative": ["y"]}}}', "a has no positive wordings"),
        ('{"findings": {"a b": {"positive": ["x"], "negative": ["y"]}, "A-B": {}}}', "names A-B twice"),
        ('{"findings": {"a": {}, "a": {}}}', "a is named twice"),
    ],
)
def test_faulty_files_are_named(tmp_path, content, message):
    file = tmp_path / "mine.json"
    file.write_text(content)
    with pytest.raises(T3DError, match=message):
        read_prompts(file)
    with pytest.raises(T3DError, match="absent.json does not exist; correct --prompts_file"):
        read_prompts(tmp_path / "absent.json")


def test_findings_keep_the_letters_of_any_alphabet(tmp_path):
    file = tmp_path / "prompts.json"
    pair = {"positive": ["有。"], "negative": ["无。"]}
    file.write_text(
        json.dumps({"findings": {"肺结节": pair, "胸腔积液": pair, "Übergröße-Herz": pair}}), encoding="utf-8"
    )
    assert list(read_prompts(file)) == ["肺结节", "胸腔积液", "übergröße_herz"]
    file.write_text(json.dumps({"findings": {" - ": pair}}))
    with pytest.raises(T3DError, match="the finding ' - ': give it a name with letters"):
        read_prompts(file)
