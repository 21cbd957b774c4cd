import pytest

from t3d.reports.comparisons import compares, drop_comparisons


@pytest.mark.parametrize(
    "sentence",
    [
        "Compared to the prior CT, the nodule has grown.",
        "Comparison is made with 10/13/05 radiographs.",
        "No prior studies are available for comparison.",
        "These are unchanged.",
        "The effusion has decreased in size.",
        "Again seen is a right hilar mass.",
        "Interval removal of the chest tube.",
        "Stable 5 mm nodule in the left lower lobe.",
        "No significant interval change.",
        "The mass is larger than on the previous examination.",
        "The lesion is no longer seen.",
        "The collection has resolved.",
    ],
)
def test_sentences_that_need_an_earlier_scan(sentence):
    assert compares(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "The right kidney is small compared with the left kidney.",
        "The liver has increased attenuation.",
        "There are degenerative changes.",
        "New fracture of the fifth rib.",
        "The patient left in stable condition.",
        "Changes of a prior cholecystectomy.",
        "The QT interval is normal.",
        "Follow-up in three months is recommended.",
        "The vascular compartments are normal.",
        "Prior to sedation vital signs were obtained.",
    ],
)
def test_sentences_that_one_scan_can_answer(sentence):
    assert not compares(sentence)


def test_the_others_stay_in_order_and_something_always_stays():
    sentences = ["A cyst.", "Unchanged nodule.", "No effusion."]
    assert drop_comparisons(sentences) == ["A cyst.", "No effusion."]
    assert drop_comparisons(["Unchanged."]) == ["Unchanged."]
    assert drop_comparisons([]) == []
