"""Swapped frames: the advised tolerance prevents the resets, and rare steps give no advice."""

import re

import numpy as np
import pytest

from flashdepth_ros.node.swapped_frames import SwappedFrames
from flashdepth_ros.runtime import SequencePolicy, StaleFrameError
from flashdepth_ros.runtime.sequence import FrameTag, Sequence

PERIOD_S = 0.033
LOOP = [*range(100), *range(100)]
SWAPS = [0, 2, 1, 3, 5, 4, 6, 7, 9, 8, 10]


def observe(stamps, tolerance_s=0.0, seconds_apart=PERIOD_S):
    """Return the advice after a stream with these stamps, in periods, and its resets."""
    swapped, sequence, resets = SwappedFrames(), Sequence(SequencePolicy(2.0, tolerance_s)), -1
    for index, stamp in enumerate(stamps):
        stamp_ns = round(stamp * PERIOD_S * 1e9)
        try:
            reason = sequence.add(FrameTag(stamp_ns, 4, 6)).reset_reason
        except StaleFrameError:
            continue
        resets += bool(reason)
        swapped.observe(stamp_ns, reason, index * seconds_apart)
    return swapped.advice(len(stamps) * seconds_apart), resets


@pytest.mark.parametrize('farthest', [2, 5, 25])
@pytest.mark.parametrize('seed', range(5))
def test_the_advised_tolerance_prevents_every_reset(seed, farthest):
    generator = np.random.default_rng(seed)
    stamps = np.argsort(np.arange(200) + farthest * generator.random(200))
    advice, resets = observe(stamps)
    assert resets > 1
    tolerance = float(re.search(r'reset.backward_tolerance to ([\d.]+)', advice).group(1))
    assert observe(stamps, tolerance) == ('', 0)


@pytest.mark.parametrize('stamps', [range(50), SWAPS[:4], LOOP, LOOP * 3])
def test_no_advice_without_repeated_small_steps(stamps):
    assert observe(list(stamps))[0] == ''


def test_steps_more_than_a_minute_apart_give_no_advice():
    assert observe(SWAPS, seconds_apart=1.0)[0]
    assert observe(SWAPS, seconds_apart=61.0)[0] == ''
