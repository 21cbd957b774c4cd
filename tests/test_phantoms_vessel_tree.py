import numpy as np

from t3d.phantoms.vessel_tree import MURRAY, grow_tree


def test_the_tree_reaches_every_tip_and_keeps_murrays_law():
    tips = np.random.default_rng(0).uniform(-50, 50, (40, 3))
    root = np.zeros(3)
    starts, ends, radii = grow_tree(root, tips, tip_radius=1.0, root_radius=99.0)
    for tip in tips:
        assert np.isclose(ends, tip).all(axis=1).any()
    leaves = [not np.isclose(starts, end).all(axis=1).any() for end in ends]
    for end, radius, leaf in zip(ends, radii, leaves, strict=True):
        children = radii[np.isclose(starts, end).all(axis=1)]
        assert np.isclose(radius**MURRAY, 1.0 if leaf else (children**MURRAY).sum())
    trunk = radii[np.isclose(starts, root).all(axis=1)]
    assert np.isclose((trunk**MURRAY).sum(), sum(leaves))


def test_the_trunk_is_no_wider_than_allowed():
    tips = np.random.default_rng(1).uniform(10, 50, (60, 3))
    assert grow_tree(np.zeros(3), tips, tip_radius=1.0, root_radius=2.5)[2].max() == 2.5
