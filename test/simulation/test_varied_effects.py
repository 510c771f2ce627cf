"""Strong camera effects and the style of photographs."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from flashdepth_ros.simulation.photographs import Photographs
from flashdepth_ros.simulation.sensor import SensorEffects, SensorParameters
from flashdepth_ros.simulation.style import exchange_amplitude
from flashdepth_ros.simulation.varied_effects import STYLED_SHARE, VariedEffects

SIZE = (64, 48)
STILL = (0.0, 0.0)
CLEAN = SensorParameters(
    exposure_ev=0.0, cast=(1.0, 1.0, 1.0), saturation=1.0, shading=0.0, centre=(0.0, 0.0),
    veil=0.0, veil_tint=(1.0, 1.0, 1.0), electrons=1e9, read_noise=1e-6, focus_px=0.0,
    shake_px=(0.0, 0.0),
    shutter_s=0.0, coarseness=1.0, sharpening=0.0, jpeg=0,
)  # fmt: skip


def picture(seed: int = 0) -> np.ndarray:
    small = np.random.default_rng(seed).integers(20, 236, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(small, SIZE, interpolation=cv2.INTER_LINEAR)


def applied(rgb: np.ndarray, monkeypatch, **changes) -> np.ndarray:
    parameters = replace(CLEAN, **changes)
    monkeypatch.setattr('flashdepth_ros.simulation.sensor.draw_sensor', lambda _: parameters)
    return SensorEffects(np.random.default_rng(0), SIZE).apply(rgb, STILL).astype(float)


def test_a_perfect_sensor_only_sets_the_exposure(monkeypatch) -> None:
    rgb = picture()
    image = applied(rgb, monkeypatch)
    unsaturated = image < 254
    ratio = image[unsaturated] / rgb[unsaturated]
    assert ratio.std() < 0.02 * ratio.mean()


def test_exposure_darkens_and_clips(monkeypatch) -> None:
    dark, right, bright = (
        applied(picture(), monkeypatch, exposure_ev=ev) for ev in (-2.0, 0.0, 2.0)
    )
    assert dark.mean() < 0.65 * right.mean()
    assert right.mean() == pytest.approx(0.45 * 255, rel=0.15)
    assert (bright == 255).mean() > 0.2


def test_noise_is_stronger_in_the_dark_and_correlated_between_neighbours(monkeypatch) -> None:
    half = np.full((48, 64, 3), 40, np.uint8)
    half[:, 32:] = 160
    noisy = applied(half, monkeypatch, electrons=300.0, read_noise=0.005)
    noise = noisy - applied(half, monkeypatch)
    relative = [noise[:, part].std() / noisy[:, part].mean() for part in (np.s_[:32], np.s_[32:])]
    assert relative[0] > 1.5 * relative[1]
    for channel in range(3):
        part = noise[8:40, 34:62, channel]
        assert np.corrcoef(part[:, :-1].ravel(), part[:, 1:].ravel())[0, 1] > 0.1


@pytest.mark.parametrize(
    'changes',
    [{'veil': 0.6}, {'focus_px': 2.0}, {'coarseness': 2.0}, {'shake_px': (6.0, 2.0)}],
    ids=str,
)
def test_veil_and_blur_reduce_contrast(monkeypatch, changes) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    assert applied(rgb, monkeypatch, **changes).std() < 0.9 * applied(rgb, monkeypatch).std()


def test_shading_darkens_the_corners(monkeypatch) -> None:
    image = applied(np.full((48, 64, 3), 100, np.uint8), monkeypatch, shading=0.6)
    assert image[0, 0].mean() < 0.8 * image[24, 32].mean()


def test_a_photograph_gives_its_colours_but_not_its_edges() -> None:
    rgb, photograph = picture(0), picture(1) // 2 + np.array([120, 0, 0], np.uint8)
    same = exchange_amplitude(rgb, rgb, 0.05)
    assert np.abs(same.astype(int) - rgb).max() <= 1
    assert np.abs(exchange_amplitude(rgb, photograph, 0.05, 0.0).astype(int) - rgb).max() <= 1
    styled = exchange_amplitude(rgb, photograph, 0.02)
    means = styled.mean(axis=(0, 1)) - photograph.mean(axis=(0, 1))
    assert np.abs(means).max() < 12
    edges, expected = (np.diff(image.astype(float), axis=1).ravel() for image in (styled, rgb))
    assert np.corrcoef(edges, expected)[0, 1] > 0.9


def test_effects_are_reproducible_and_differ_between_seeds_and_frames(tmp_path: Path) -> None:
    for index in range(3):
        cv2.imwrite(str(tmp_path / f'{index}.png'), picture(index + 5))
    photographs = Photographs(tmp_path)
    results = []
    for seed in (1, 1, 2):
        effects = VariedEffects(seed, SIZE, photographs)
        results.append([effects.apply(picture(), (50.0, 9.0)) for _ in range(2)])
    for one, two in zip(results[0], results[1], strict=True):
        np.testing.assert_array_equal(one, two)
    assert results[0][0].dtype == np.uint8
    assert results[0][0].shape == (48, 64, 3)
    assert (results[0][0] != results[2][0]).any()


def test_the_share_of_clips_with_the_style_of_a_photograph(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / 'a.png'), picture())
    counts = {}
    for name, photographs in (('some', Photographs(tmp_path)), ('none', Photographs())):
        styles = [VariedEffects(seed, (16, 12), photographs)._style for seed in range(200)]
        counts[name] = sum(style is not None for style in styles)
    assert counts['none'] == 0
    assert counts['some'] == pytest.approx(200 * STYLED_SHARE, abs=25)
