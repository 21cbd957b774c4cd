import numpy as np
import torch

from t3d.infer.text_picture import text_picture
from t3d.train.pictures import restoration_picture


def test_right_is_left_and_front_is_up():
    crop = torch.zeros(1, 2, 1, 32, 32, 32)
    crop[0, 0, 0, 31, 31, 16] = 1.0  # RAS: the most right, most anterior voxel of the middle slice
    output = {"clean": crop, "corrupted": crop * 0.5, "restored": crop * 2}
    picture = restoration_picture(output)
    assert picture.shape == (34, 3 * 34)
    assert [picture[1, 1 + 34 * panel] for panel in range(3)] == [1.0, 0.5, 1.0]  # behind the white frame
    assert picture[2:32, 2:32].max() == 0


def test_the_text_is_shown_at_its_highest_place_in_the_body():
    volume, values = np.zeros((64, 64, 96)), np.zeros((2, 2, 3))
    volume[20:50, 4:28, 10:90] = 0.7
    values[1, 0, 2] = 1.0
    values[1, 1, 2] = 5.0  # filled up with zeros: no body
    figure = text_picture(volume, values, title="case")
    images = [axes.images for axes in figure.axes[:3]]
    assert [image[0].get_array().shape for image in images] == [(90, 50), (90, 28), (28, 50)], "filling is not drawn"
    assert [float(image[0].get_array().max()) for image in images] == [0.7, 0.7, 0.7]
    assert all(image[1].get_clim() == (0, 1) for image in images), "nor does it stretch the colours"
    coronal, sagittal, axial = (image[1].get_array() for image in images)
    assert coronal[0, 0] == 1 and coronal[-1, -1] == 0  # right and head: upper left
    assert sagittal[0, 0] == 1 and sagittal[-1, 0] == 0
    assert axial[0, 0] == 1 and axial[0, -1] == 0


def test_a_volume_of_air_is_cut_through_the_maximum():
    values = np.zeros((2, 1, 3))
    values[1, 0, 2] = 1.0
    figure = text_picture(np.zeros((64, 32, 96)), values, title="case")
    titles = [axes.get_title() for axes in figure.axes[:3]]
    assert titles == ["coronal, slice 16", "sagittal, slice 48", "axial, slice 80"]
