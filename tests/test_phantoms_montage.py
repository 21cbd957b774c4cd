import io

import numpy as np
from matplotlib.image import imread

from t3d.phantoms import phantoms
from t3d.phantoms.montage import montage_png
from t3d.phantoms.plan import plan_case


def test_the_picture_shows_as_many_rows_as_cases_and_is_the_same_each_time(tmp_path):
    phantoms(tmp_path, cases=2, seed=1, shape=32, montage=False)
    planned = [plan_case(1, index) for index in range(2)]
    one, two = (imread(io.BytesIO(montage_png(tmp_path, planned[:count]))) for count in (1, 2))
    assert two.shape[0] == 2 * one.shape[0] and one.shape[1] == two.shape[1]
    assert one[..., :3].std() > 0.1
    assert montage_png(tmp_path, planned) == montage_png(tmp_path, planned)


def test_the_patients_right_is_on_the_left_of_the_picture(tmp_path):
    phantoms(tmp_path, cases=1, seed=1, shape=48, montage=False, noise=0)
    picture = imread(io.BytesIO(montage_png(tmp_path, [plan_case(1, 0)])))[..., 0]
    width = picture.shape[1] // 5
    abdomen = picture[len(picture) // 3 : 2 * len(picture) // 3, 3 * width : 4 * width]
    left, right = abdomen[:, width // 4 : width // 2], abdomen[:, width // 2 : 3 * width // 4]
    assert np.mean(left) > np.mean(right) + 0.05, "the liver is brighter than the fat and bowel beside it"
