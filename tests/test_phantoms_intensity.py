"""Rendered volumes: Hounsfield units, noise, labels that agree with the findings."""

import numpy as np
import pytest
from scipy.ndimage import binary_erosion

from t3d.phantoms.intensity import ENHANCED, PLAIN, render
from t3d.phantoms.plan import plan_case
from t3d.phantoms.study import FINDINGS
from t3d.phantoms.tissues import LABELS, LESIONS, ORGANS, Tissue


def rendered(index, *, side=64, noise=18.0, seed=0):
    case = plan_case(seed, index)
    return case, *render(case.study, (side,) * 3, np.random.default_rng(3), noise_sd=noise)


@pytest.fixture(scope="module")
def volumes():
    return [rendered(index) for index in range(16)]


def test_every_organ_is_there(volumes):
    for case, _, labels, _, _ in volumes:
        missing = [name for name in ORGANS if not (labels == LABELS[name]).any()]
        assert not missing, (case.case_id, missing)


def test_lesion_labels_are_there_exactly_when_the_findings_are(volumes):
    shown = [name for name in FINDINGS if name in LESIONS]
    assert len(shown) == 9
    for case, _, labels, _, _ in volumes:
        for name in shown:
            assert (labels == LABELS[name]).any() == bool(case.study.findings[name]), (case.case_id, name)


def test_organs_have_their_hounsfield_units(volumes):
    for case, image, labels, _, _ in volumes:
        table = ENHANCED if case.study.contrast else PLAIN
        expected = {
            "muscle": table[Tissue.MUSCLE],
            "fat": table[Tissue.FAT],
            "spleen": table[Tissue.SPLEEN],
            "liver": table[Tissue.LIVER] - sum(one.size_mm for one in case.study.of("hepatic_steatosis")),
        }
        for name, value in expected.items():
            inside = binary_erosion(labels == LABELS[name])
            assert abs(np.median(image[inside]) - value) < 18, (case.case_id, name)
        assert abs(np.median(image[:3]) + 1000) < 5
        lung = image[np.isin(labels, [LABELS["lung_right"], LABELS["lung_left"]])]
        assert -900 < np.median(lung) < -780
        assert (np.percentile(lung, 10) < -885) == bool(case.study.findings["emphysema"])
        assert np.percentile(image[labels == LABELS["spine"]], 90) > 300
        if case.study.findings["kidney_stone"]:
            assert image[labels == LABELS["kidney_stone"]].max() > 350


def test_noise_has_the_asked_size_and_neighbours_are_alike():
    _, image, labels, _, _ = rendered(0, noise=20.0)
    quiet = rendered(0, noise=0.0)[1]
    assert np.array_equal(labels, rendered(0, noise=0.0)[2])
    noise = (image.astype(float) - quiet)[quiet > -1000]
    assert abs(noise.std() - 20) < 1
    layer = image[:, :, 30].astype(float) - quiet[:, :, 30]
    assert 0.1 < np.corrcoef(layer[1:].ravel(), layer[:-1].ravel())[0, 1] < 0.6


def test_organ_sizes_are_those_of_the_report(volumes):
    for case, _, labels, spacing, _ in volumes:
        anatomy = case.study.anatomy

        def height(*names, labels=labels, spacing=spacing):
            mask = np.isin(labels, [LABELS[name] for name in names])
            return mask.any(axis=(0, 1)).sum() * spacing[2]

        liver = height("liver", "liver_lesion")
        assert np.isclose(liver, anatomy.liver_length * anatomy.frame[2], rtol=0.1)
        kidney = height("kidney_right", "kidney_stone") if not case.study.of("kidney_cyst") else None
        if kidney:
            assert np.isclose(kidney, anatomy.kidney_length[0] * anatomy.frame[2], rtol=0.15)


def test_lesions_have_the_volume_of_their_size(volumes):
    checked = 0
    for case, _, labels, spacing, _ in volumes:
        for name in ("lung_nodule", "liver_lesion"):
            lesions = case.study.of(name)
            if lesions:
                volume = (labels == LABELS[name]).sum() * spacing.prod()
                expected = sum(np.pi / 6 * one.size_mm**3 * np.prod(one.stretch) for one in lesions)
                assert 0.7 < volume / expected < 1.2, (case.case_id, name)
                checked += 1
    assert checked >= 4


def test_the_shape_changes_the_spacing_and_not_the_patient():
    case, _, coarse, wide, _ = rendered(3, side=48)
    _, _, fine, narrow, _ = rendered(3, side=80)
    assert np.allclose(wide * 48, narrow * 80)
    for name in ("liver", "heart", "lung_right", "spleen"):
        volumes = [(labels == LABELS[name]).sum() * sp.prod() for labels, sp in ((coarse, wide), (fine, narrow))]
        assert np.isclose(*volumes, rtol=0.08), name
