import numpy as np
import torch

from t3d.infer.save_features import overlay
from t3d.train.pictures import restoration_picture


def test_right_is_left_and_front_is_up():
    crop = torch.zeros(1, 2, 1, 32, 32, 32)
    crop[0, 0, 0, 31, 31, 16] = 1.0  # RAS: the most right, most anterior voxel of the middle slice
    output = {"clean": crop, "corrupted": crop * 0.5, "restored": crop * 2}
    picture = restoration_picture(output)
    assert picture.shape == (34, 3 * 34)
    assert [picture[1, 1 + 34 * panel] for panel in range(3)] == [1.0, 0.5, 1.0]  # behind the white frame
    assert picture[2:32, 2:32].max() == 0


def test_overlay_cuts_through_the_maximum():
    volume, values = np.zeros((64, 32, 96)), np.zeros((2, 1, 3))
    values[1, 0, 2] = 1.0
    volume[48, 16, 80] = 0.7
    figure = overlay(volume, values, title="case")
    images = [axes.images for axes in figure.axes[:3]]
    assert [float(image[0].get_array().max()) for image in images] == [0.7, 0.7, 0.7]
    coronal, sagittal, axial = (image[1].get_array() for image in images)
    assert coronal[0, 0] == 1 and coronal[-1, -1] == 0  # right and head: upper left
    assert sagittal[0, 0] == 1 and sagittal[-1, 0] == 0
    assert axial[0, 0] == 1 and axial[0, -1] == 0
