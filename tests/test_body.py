import pickle

import torch
from monai.bundle import ConfigParser

from t3d.transforms.body import is_body


def test_air_and_lung_are_not_body():
    hu = torch.tensor([-1000.0, -850.0, -100.0, 40.0, 900.0])
    assert is_body((hu + 1000) / 2000).tolist() == [False, False, True, True, True]


def test_the_config_hands_over_the_function_itself():
    parser = ConfigParser({"select": {"_target_": "t3d.transforms.body.is_body", "_mode_": "callable"}})
    assert pickle.loads(pickle.dumps(parser.get_parsed_content("select"))) is is_body
