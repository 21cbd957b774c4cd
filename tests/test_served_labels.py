import json

import pytest
from bundle_runs import REPOSITORY

from t3d.errors import T3DError
from t3d.monai_label.served_labels import served_metadata, served_record

METADATA = json.loads((REPOSITORY / "bundles/t3d_segmentation/configs/metadata.json").read_text())
RECORD = {"network": {"feature_size": 12}, "labels": {"liver": [7, 22], "background": [0, 1], "aorta": 6}}


def pred(metadata):
    return metadata["network_data_format"]["outputs"]["pred"]


def test_values_are_those_of_the_channels_in_record_and_metadata():
    record = served_record(RECORD)
    assert record["labels"] == {"background": 0, "liver": 1, "aorta": 2}
    assert record["network"] == RECORD["network"] and RECORD["labels"]["aorta"] == 6
    for given in (RECORD, record):
        served = served_metadata(METADATA, given)
        assert pred(served)["channel_def"] == {"0": "background", "1": "liver", "2": "aorta"}
        assert pred(served)["num_channels"] == 3
        assert served["label_classes"].endswith('{"background": 0, "liver": 1, "aorta": 2}')
    assert pred(METADATA)["num_channels"] == 14  # what was given is unchanged
    assert served_record(record) == record


def test_shipped_metadata_is_what_its_own_table_gives():
    table = json.loads((REPOSITORY / "bundles/t3d_segmentation/configs/labels_btcv.json").read_text())
    assert served_record({"labels": table})["labels"] == table
    assert pred(served_metadata(METADATA, {"labels": table})) == pred(METADATA)


def test_a_classifier_has_a_channel_per_finding():
    served = served_metadata(METADATA, {"findings": ["cyst", "stone"]})
    assert pred(served)["channel_def"] == {"0": "cyst", "1": "stone"}
    assert served_record({"findings": ["cyst"]}) == {"findings": ["cyst"]}


@pytest.mark.parametrize("record", [{}, {"labels": {"Liver": 1, "liver": 2}}, {"findings": ["Cyst", "cyst"]}])
def test_labels_a_client_could_not_tell_are_refused(record):
    with pytest.raises(T3DError, match="neither labels nor findings|upper and lower case"):
        served_metadata(METADATA, record)
