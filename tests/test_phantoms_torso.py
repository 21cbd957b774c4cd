import numpy as np

from t3d.phantoms.anatomy import draw_anatomy
from t3d.phantoms.torso import APEX, diaphragm, in_body, in_cavity, in_lung, lobe

POINTS = np.random.default_rng(0).uniform((-190, -160, -170), (190, 160, 215), (20000, 3)).T


def patients(count=12):
    return [draw_anatomy(np.random.default_rng(index)) for index in range(count)]


def test_lungs_lie_in_the_cavity_and_the_cavity_in_the_body():
    for anatomy in patients():
        right, left = (in_lung(anatomy, side, *POINTS) for side in (1, -1))
        cavity, wall, skin = (
            in_cavity(*POINTS),
            in_body(anatomy, *POINTS, fat=False),
            in_body(anatomy, *POINTS),
        )
        assert right.any() and left.any() and not (right & left).any()
        assert not ((right | left) & ~cavity).any()
        assert not (cavity & ~wall).any()
        assert not (wall & ~skin).any()
        assert (POINTS[0][right] > 0).all() and (POINTS[0][left] < 0).all()


def test_lungs_narrow_to_an_apex_and_end_at_the_diaphragm():
    for anatomy in patients():
        lung = in_lung(anatomy, 1, *POINTS)
        low, high = ((POINTS[2] > z) & (POINTS[2] < z + 25) for z in (60, APEX - 25))
        assert POINTS[0][lung & low].max() > 1.2 * POINTS[0][lung & high].max()
        x, y, z = POINTS[:, lung]
        assert (z > diaphragm(anatomy, x, y)).all()


def test_the_right_dome_is_higher_and_falls_towards_the_wall():
    for anatomy in patients():
        right, left, edge = diaphragm(anatomy, np.array([66.0, -66.0, 130.0]), np.array([6.0, 6.0, 6.0]))
        assert np.isclose(right, 0) and left < right and edge < right - 20


def test_lobes():
    assert lobe(1, 0, 150) == "upper lobe" and lobe(-1, 0, 150) == "upper lobe"
    assert lobe(1, -70, 20) == "lower lobe" and lobe(-1, -70, 20) == "lower lobe"
    assert lobe(1, 60, 30) == "middle lobe" and lobe(-1, 60, 30) == "upper lobe"
