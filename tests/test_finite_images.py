import pytest
import torch
from ignite.engine import Engine

from t3d.errors import T3DError
from t3d.train.finite_images import FiniteImages


def look(batch):
    engine = Engine(lambda engine, batch: None)
    FiniteImages().attach(engine)
    engine.run([batch])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_the_faulty_case_is_named(value):
    image = torch.zeros(3, 1, 2, 2, 2)
    look({"image": image, "case_id": ["a", "b", "c"]})
    image[1, 0, 1, 0, 1] = value
    with pytest.raises(T3DError, match="case b: image"):
        look({"image": image, "case_id": ["a", "b", "c"]})
    with pytest.raises(T3DError, match="item 1 of the batch"):
        look({"image": image})
