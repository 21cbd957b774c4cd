import numpy as np
import torch
from ignite.engine import Engine
from matplotlib import colormaps
from matplotlib.image import imread

from t3d.train.segmentation_pictures import SegmentationPictures, overlay, segmentation_row

RED = np.asarray(colormaps["tab20"].colors[0])


def test_classes_are_coloured_and_the_background_is_grey():
    picture = overlay(np.full((1, 3), 0.5), np.array([[0, 1, 21]]))
    assert np.allclose(picture[0, 0], 0.5)
    assert np.allclose(picture[0, 1], 0.55 * 0.5 + 0.45 * RED)
    assert np.allclose(picture[0, 2], picture[0, 1])  # colours repeat


def test_the_labelled_slice_is_shown_as_radiologists_see_it():
    image, label, pred = torch.zeros(1, 4, 6, 5), torch.zeros(1, 4, 6, 5), torch.zeros(1, 4, 6, 5)
    label[0, 0, 5, 3] = 1
    pred[0, 3, 0, 3] = 1
    row = segmentation_row(image, label, pred)
    height, width = 6 + 4, 3 * (4 + 4)
    assert row.shape == (height, width, 3)
    coloured = np.argwhere((row > 0).all(axis=2) & (row < 1).all(axis=2))
    # RAS: x grows to the patient's right, which is shown on the left; y to the front, which is shown above
    assert coloured.tolist() == [[2, 8 + 2 + 3], [2 + 5, 16 + 2 + 0]]


def test_the_first_cases_are_drawn_and_written(tmp_path):
    class Writer:
        def add_image(self, name, picture, epoch, dataformats):
            self.seen = (name, picture.shape, epoch, dataformats)

    cases = [{key: torch.ones(1, 4 + n, 6, 5) for key in ("image", "label", "pred")} for n in range(3)]
    evaluator = Engine(lambda engine, batch: [batch])
    writer = Writer()
    SegmentationPictures(writer=writer, output_dir=str(tmp_path), cases=2).attach(evaluator)
    for _ in range(2):  # rows of an earlier validation are gone
        evaluator.run(cases)
    assert writer.seen == ("segmentation", (2 * 10, 3 * 9, 3), 1, "HWC")
    assert imread(tmp_path / "segmentation.png").shape[:2] == (20 * 18, 27 * 18)
