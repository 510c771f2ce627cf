"""The governor with simulated frame times: it converges, reaches the rate, does not oscillate."""

import itertools
import math

import numpy as np
import pytest

from flashdepth_ros.network.presets import preset
from flashdepth_ros.node.governor import (
    LOWER_FRAMES,
    RAISE_FRAMES,
    SETTLE_FRAMES,
    SHARES,
    Governor,
    scaled_size,
)
from flashdepth_ros.runtime.preprocess import InferenceSize

MODEL = preset('flashdepth-tiny')


def simulate(governor, full_ms, frames, fixed_ms=2.0, noise=0.0, seed=0):
    """Simulate frames that take `full_ms` at full size; return the share of each frame."""
    random = np.random.default_rng(seed)
    shares = []
    for _ in range(frames):
        shares.append(governor.share)
        cost_ms = fixed_ms + (full_ms - fixed_ms) * governor.share**2
        governor.observe(cost_ms * (1 + noise * random.standard_normal()))
    return shares


def governor_for(rate):
    governor = Governor()
    governor.target_rate = rate
    return governor


def changes(shares):
    return sum(before != after for before, after in itertools.pairwise(shares))


def test_off_by_default():
    governor = Governor()
    assert set(simulate(governor, 1e6, 200)) == {1.0}


@pytest.mark.parametrize('full_ms', [50.0, 99.0, 101.0, 150.0, 210.0, 390.0, 700.0])
def test_converges_to_the_largest_size_that_reaches_the_rate(full_ms):
    shares = simulate(governor_for(10.0), full_ms, 1000)
    fitting = [share for share in SHARES if 2.0 + (full_ms - 2.0) * share**2 <= 100.0]
    assert shares[-1] == fitting[0]
    assert shares == sorted(shares, reverse=True)


def test_stops_at_the_smallest_size():
    assert simulate(governor_for(10.0), 1e5, 500)[-1] == SHARES[-1]


def test_one_step_at_a_time_after_the_given_number_of_frames():
    shares = simulate(governor_for(10.0), 390.0, 100)
    used = [share for share, _ in itertools.groupby(shares)]
    assert used == list(SHARES[: len(used)])
    lengths = [len(list(frames)) for _, frames in itertools.groupby(shares)]
    assert set(lengths[:-1]) == {SETTLE_FRAMES + LOWER_FRAMES}


def test_grows_again_when_the_rate_is_lowered():
    governor = governor_for(10.0)
    assert simulate(governor, 390.0, 300)[-1] < 1.0
    governor.target_rate = 2.0
    shares = simulate(governor, 390.0, 10 * RAISE_FRAMES)
    assert shares[-1] == 1.0
    assert shares == sorted(shares)


def test_grows_again_when_frames_take_less_time():
    governor = governor_for(10.0)
    simulate(governor, 390.0, 300)
    assert simulate(governor, 60.0, 10 * RAISE_FRAMES)[-1] == 1.0


def test_full_size_at_once_when_switched_off():
    governor = governor_for(10.0)
    simulate(governor, 390.0, 300)
    governor.target_rate = 0.0
    assert governor.share == 1.0


@pytest.mark.parametrize('full_ms', [101.0, 139.0, 205.0, 280.0])
@pytest.mark.parametrize('seed', range(3))
def test_noise_does_not_cause_oscillation(full_ms, seed):
    shares = simulate(governor_for(10.0), full_ms, 5000, noise=0.1, seed=seed)
    assert changes(shares[500:]) <= 8


def test_single_slow_frames_do_not_change_the_size():
    governor = governor_for(10.0)
    for index in range(500):
        assert not governor.observe(5000.0 if index % 5 == 0 else 50.0)


def test_failed_step_up_is_retried_at_growing_intervals():
    governor = governor_for(10.0)
    tried = []
    for frame in range(3000):
        # Smaller sizes take far less time than predicted: every step up fails.
        before = governor.share
        governor.observe(150.0 if before == 1.0 else 20.0)
        if governor.share > before:
            tried.append(frame)
    gaps = np.diff(tried)
    assert len(tried) >= 4
    assert (gaps[1:4] > 1.5 * gaps[:3]).all()


def test_scaled_sizes_are_whole_patches_and_at_least_one():
    full = InferenceSize(0, 2044)
    assert scaled_size(full, 1.0, (448, 588)) is full
    sides = [
        min(scaled_size(full, share, (448, 588)).for_image(480, 640, MODEL)) for share in SHARES
    ]
    assert sides == sorted(sides, reverse=True)
    assert all(side % 14 == 0 for side in sides)
    assert sides[-1] == pytest.approx(448 * SHARES[-1], abs=14)
    assert scaled_size(full, 0.35, (28, 42)).for_image(480, 640, MODEL) == (14, 28)


def test_the_scaled_size_of_a_long_narrow_image_is_not_larger_than_the_full_one():
    full, lite = InferenceSize(), preset('flashdepth-lite')
    size = full.for_image(60, 1000, lite)
    assert size == (42, 588)
    for share in SHARES[1:]:
        height, width = scaled_size(full, share, size).for_image(60, 1000, lite)
        assert height <= 42
        assert width <= math.ceil(share * 588 / 14) * 14


@pytest.mark.parametrize('target_rate', [0.0, 10.0])
def test_a_size_that_is_forbidden_is_never_used_again(target_rate):
    governor = Governor()
    governor.target_rate = target_rate
    shares = []
    while governor.forbid_current():
        shares.append(governor.share)
        for _ in range(20 * RAISE_FRAMES):
            governor.observe(0.1)
        governor.target_rate = 0.0
        assert governor.share == shares[-1]
        governor.target_rate = target_rate
    assert shares == list(SHARES[1:])
