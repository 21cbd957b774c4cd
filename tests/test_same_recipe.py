import logging

import pytest

from t3d.errors import T3DError
from t3d.train.same_recipe import CHANGED, go_on_with


def test_a_difference_is_named_with_both_values_and_the_way_to_allow_it(tmp_path):
    now = {"seed": 0, "weight_decay": 0.1, "sections": ["findings"]}
    then = {"seed": 0, "weight_decay": 0.01, "sections": ["findings", "impression"]}
    with pytest.raises(T3DError) as caught:
        go_on_with(now, then, path=tmp_path / "c.pt", epoch=3)
    said = str(caught.value)
    assert "weight_decay 0.01 there, 0.1 now; sections ['findings', 'impression'] there, ['findings'] now" in said
    assert "--allow_changed \"['weight_decay', 'sections']\"" in said and "seed" not in said
    with pytest.raises(T3DError, match=r"other settings: sections .* now\. Use"):
        go_on_with(now, then, path=tmp_path / "c.pt", epoch=3, allowed=["weight_decay"])
    assert CHANGED not in now


def test_what_was_allowed_is_logged_and_stays_on_record(tmp_path, caplog):
    recipe = {"weight_decay": 0.1}
    with caplog.at_level(logging.WARNING):
        go_on_with(recipe, {"weight_decay": 0.01}, path=tmp_path, epoch=3, allowed=["weight_decay"])
    assert "weight_decay 0.01 there, 0.1 now" in caplog.text
    first = {"option": "weight_decay", "from": 0.01, "to": 0.1, "after_epoch": 3}
    assert recipe[CHANGED] == [first]
    again = {"weight_decay": 0.2}
    go_on_with(again, recipe, path=tmp_path, epoch=5, allowed=["weight_decay"])
    assert again[CHANGED] == [first, {"option": "weight_decay", "from": 0.1, "to": 0.2, "after_epoch": 5}]
    same = {"weight_decay": 0.2}
    go_on_with(same, again, path=tmp_path, epoch=6)
    assert same[CHANGED] == again[CHANGED]


def test_checkpoints_of_0_1_are_compared_in_what_they_recorded(tmp_path):
    recipe = {"seed": 0, "max_tokens": 256, "encoder_weights": "sha256:ab"}
    go_on_with(recipe, {"seed": 0, "encoder_sha256": "ab"}, path=tmp_path, epoch=1)
    assert CHANGED not in recipe
    go_on_with({"encoder_weights": None}, {"encoder_sha256": None}, path=tmp_path, epoch=1)
    with pytest.raises(T3DError, match="encoder_weights 'sha256:cd' there, 'sha256:ab' now"):
        go_on_with(recipe, {"seed": 0, "encoder_sha256": "cd"}, path=tmp_path, epoch=1)


def test_a_name_that_is_no_option_is_refused(tmp_path):
    with pytest.raises(T3DError, match="--allow_changed names weight_decai"):
        go_on_with({"weight_decay": 1.0}, {}, path=tmp_path, epoch=1, allowed=["weight_decai"])


def test_a_checkpoint_of_0_1_pooled_by_attention(tmp_path):
    with pytest.raises(T3DError, match="pooling 'attention' there, 'tokens' now"):
        go_on_with({"pooling": "tokens"}, {"seed": 0}, path=tmp_path, epoch=1)
    go_on_with({"pooling": "attention"}, {"seed": 0}, path=tmp_path, epoch=1)
    with pytest.raises(T3DError, match="stem_stride 1 there, 4 now"):
        go_on_with({"stem_stride": 4}, {"seed": 0}, path=tmp_path, epoch=1)
    go_on_with({"stem_stride": 1}, {"seed": 0}, path=tmp_path, epoch=1)
    go_on_with({"seed": 0}, {"seed": 0}, path=tmp_path, epoch=1)
