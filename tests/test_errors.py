import pickle
from pathlib import Path

import pytest
from torch._utils import ExceptionWrapper

from t3d.check.remark import without_names
from t3d.errors import T3DError, plain_message
from t3d.volume.in_words import in_words


def test_a_sentence_is_enough():
    error = T3DError("spacing is 0; set it above 0.")
    assert str(error) == error.what == error.said == "spacing is 0; set it above 0."
    assert error.who is None and error.remedy is None and error.args == (str(error),)


@pytest.mark.parametrize(
    ("fields", "sentence", "said", "of_case"),
    [
        ({}, "is no image.", "is no image.", "case a: image k.nii is no image."),
        ({"who": "k.nii"}, "k.nii is no image.", "is no image.", "case a: image k.nii is no image."),
        ({"who": "folder k:"}, "folder k: is no image.", "is no image.", "case a: image k.nii: is no image."),
    ],
)
def test_fields_make_the_sentence(fields, sentence, said, of_case):
    error = T3DError("is no image.", **fields)
    assert (str(error), error.said, error.said_of("case a: image k.nii")) == (sentence, said, of_case)
    error = T3DError("is no image", remedy="export it again", **fields)
    assert str(error) == sentence.replace("image.", "image; export it again.")


def test_fields_pass_through_pickle():
    error = pickle.loads(pickle.dumps(T3DError("is empty", who="k.nii", remedy="copy it again")))
    assert str(error) == "k.nii is empty; copy it again."
    assert (error.what, error.who, error.remedy) == ("is empty", "k.nii", "copy it again")


def test_a_worker_sends_the_sentence_home():
    try:
        raise T3DError("is empty", who="k.nii", remedy="copy it again")
    except T3DError:
        wrapped = ExceptionWrapper(where="in a worker")
    with pytest.raises(T3DError) as caught:
        wrapped.reraise()
    assert plain_message(caught.value) == "k.nii is empty; copy it again."


def test_what_a_library_says_has_the_file_apart():
    with pytest.raises(T3DError) as caught, in_words("folder k:", "slice 1"):
        raise KeyError("x")
    assert caught.value.who == "folder k:" and str(caught.value).startswith("folder k: slice 1 cannot be read (KeyErr")


@pytest.mark.parametrize(
    "error",
    [
        T3DError("cannot be read (no /p/Smith/Smith_John.nii)", who="Smith_John.nii", remedy="copy it again"),
        T3DError("is damaged.", who="Smith_John.nii in /p/Smith"),
        T3DError("Smith_John.nii does not exist in /p/Smith; restore it."),
        T3DError("is one slice.", who="DICOM file Smith_John.nii:"),
        T3DError("is one slice.", who="whatever Smith is called in other words"),
    ],
)
def test_a_name_never_gets_into_a_remark(error):
    said = without_names(error, Path("/p/Smith/Smith_John.nii"))
    assert said and "Smith" not in said and not said.endswith(".")
