"""The online scale: laws of the fit, of the tracker, and of the pairing of frames."""

from dataclasses import replace
import time

import numpy as np
import pytest

from flashdepth_ros.errors import ConfigError, InputError
from flashdepth_ros.runtime.scale import (
    FrameView,
    OnlineScale,
    Samples,
    Scale,
    ScaleSettings,
    fit_samples,
)
from flashdepth_ros.runtime.setting_description import update
from support.scale_streams import (
    RATE_HZ,
    predicted,
    reference,
    stamp_at,
    true_depth,
    view,
)

SETTINGS = ScaleSettings(scale_source='depth')
FACTORS = (0.3, 0.7, 1.0, 3.0)


def noisy_samples(factor, shift=0.0, outliers=0.0, count=2000, seed=0):
    """Return samples of a wrong scale; the outliers are all on one side."""
    random = np.random.default_rng(seed)
    known = 1 / random.uniform(0.5, 12.0, count)
    seen = factor * (known - shift) * np.exp(random.normal(0.0, 0.05, count))
    wrong = random.random(count) < outliers
    known[wrong] = known[wrong] * random.uniform(2.0, 8.0, wrong.sum())
    return Samples(seen.astype(np.float32), known.astype(np.float32))


@pytest.mark.parametrize('outliers', [0.0, 0.01, 0.3])
@pytest.mark.parametrize('factor', FACTORS)
def test_outliers_do_not_matter(factor, outliers):
    fit = fit_samples(noisy_samples(factor, outliers=outliers))
    assert fit.scale.factor == pytest.approx(factor, rel=0.01)
    assert fit.scale.shift == 0.0
    assert fit.inliers == pytest.approx(1 - outliers, abs=0.03)
    assert 0.01 < fit.residual < 0.06


@pytest.mark.parametrize('outliers', [0.0, 0.01, 0.3])
@pytest.mark.parametrize('shift', [-0.05, 0.03])
def test_scale_and_shift_are_found_together(shift, outliers):
    samples = noisy_samples(2.0, shift, outliers)
    fit = fit_samples(samples, 'scale_shift')
    assert fit.scale.factor == pytest.approx(2.0, rel=0.03)
    assert fit.scale.shift == pytest.approx(shift, abs=0.01)


def test_the_fit_scales_with_the_prediction():
    samples = noisy_samples(1.0, outliers=0.1)
    larger = Samples(samples.predicted * np.float32(1.7), samples.known)
    ratio = fit_samples(larger).scale.factor / fit_samples(samples).scale.factor
    assert ratio == pytest.approx(1.7, rel=1e-5)


def test_a_scale_turns_inverse_depth_into_metres():
    scale = Scale(2.0, 0.1)
    inverse = np.array([0.5, 1.0], np.float32)
    np.testing.assert_allclose(scale.invert(inverse), [0.35, 0.6], rtol=1e-6)
    np.testing.assert_allclose(scale.offset(inverse) / 2.0, scale.invert(inverse), rtol=1e-6)


def test_samples_that_do_not_determine_the_fit_are_refused():
    nothing = Samples(np.array([0.0, -1.0], np.float32), np.array([1.0, 1.0], np.float32))
    with pytest.raises(InputError, match='no pixel'):
        fit_samples(nothing)
    flat = Samples(np.full(50, 0.5, np.float32), np.full(50, 0.25, np.float32))
    assert fit_samples(flat).scale.factor == pytest.approx(2.0)
    with pytest.raises(InputError, match='at about one distance'):
        fit_samples(flat, 'scale_shift')
    known = np.linspace(0.1, 1.0, 50, dtype=np.float32)
    with pytest.raises(InputError, match='falls where'):
        fit_samples(Samples(known[::-1].copy(), known), 'scale_shift')


class Stream:
    """Frames at `RATE_HZ` with references; the errors of the median depth and the jumps."""

    def __init__(self, settings=SETTINGS, outliers=0.01, **changes):
        self.online, self.settings = OnlineScale(), settings
        self.outliers, self.changes = outliers, changes
        self.now_s, self.jumps = 0.0, []

    def run(self, seconds, factor, refer=True, starts=False):
        """Return the median relative error of depth of each frame, without its sign."""
        errors = []
        for index in range(round(seconds * RATE_HZ)):
            if refer:
                self.online.refer(reference(self.now_s, self.outliers, late_s=0.01))
            frame = view(self.now_s, factor, **self.changes)
            metres = self.online.observe(frame, starts and index == 0, self.settings)
            if metres.jump != 1.0:
                self.jumps.append(metres.jump)
            inverse = predicted(self.now_s, factor, **self.changes)
            depth = 1 / metres.scale.invert(inverse)
            errors.append(abs(float(np.median(depth / true_depth(self.now_s))) - 1))
            self.now_s += 1 / RATE_HZ
        return errors


@pytest.mark.parametrize('outliers', [0.01, 0.3])
@pytest.mark.parametrize('factor', [0.3, 0.6, 1.6, 3.0])
def test_metres_are_right_after_two_seconds_and_stay_so_without_the_reference(factor, outliers):
    stream = Stream(outliers=outliers)
    stream.run(2.0, factor, starts=True)
    assert max(stream.run(4.0, factor)) < 0.03
    assert max(stream.run(5.0, factor, refer=False)) < 0.03
    assert stream.online.status.age_s == pytest.approx(5.0, abs=0.2)
    assert max(stream.run(2.0, factor)) < 0.03
    assert stream.online.status.age_s < 0.2
    (jump,) = stream.jumps
    assert jump == pytest.approx(factor, rel=0.03)
    assert stream.online.status.jumps == 1


def test_the_fit_of_scale_and_shift_follows_a_stream():
    settings = replace(SETTINGS, scale_model='scale_shift')
    stream = Stream(settings, shift=0.04)
    stream.run(2.0, 0.5, starts=True)
    assert max(stream.run(2.0, 0.5)) < 0.03
    assert stream.online.status.scale.shift == pytest.approx(0.04, abs=0.01)


def test_small_changes_are_followed_slowly_and_large_ones_are_reported():
    stream = Stream()
    stream.run(4.0, 1.0, starts=True)
    assert stream.jumps == []
    before = stream.online.status.scale.factor
    stream.run(1.0, 1.2)
    assert stream.online.status.scale.factor <= before * 1.11
    stream.run(4.0, 1.2)
    assert stream.online.status.scale.factor == pytest.approx(1.2, rel=0.03)
    assert stream.jumps == []
    stream.run(4.0, 3.0)
    (jump,) = stream.jumps
    assert jump == pytest.approx(3.0 / 1.2, rel=0.1)


def test_a_new_sequence_keeps_the_scale_until_it_has_its_own():
    stream = Stream()
    stream.run(3.0, 2.0, starts=True)
    stream.jumps.clear()
    stream.run(1.0, 1.0, refer=False, starts=True)
    assert stream.online.status.scale.factor == pytest.approx(2.0, rel=0.03)
    stream.run(0.5, 1.0)
    assert stream.online.status.scale.factor == pytest.approx(1.0, rel=0.03)
    assert stream.jumps == [pytest.approx(0.5, rel=0.05)]


@pytest.mark.parametrize('late_frames', [0, 3, 10])
def test_a_late_reference_is_compared_with_its_own_frame(late_frames):
    online = OnlineScale()
    for index in range(30):
        # Every frame has another scale: only its own reference gives this one.
        seconds = index / RATE_HZ
        factor = 2.0 if index % 2 else 0.5
        online.observe(view(seconds, factor), index == 0, SETTINGS)
        late = index - late_frames
        if late >= 0 and late % 2:
            online.refer(reference(late / RATE_HZ))
    assert online.status.scale.factor == pytest.approx(2.0, rel=0.02)


def test_what_cannot_be_used_is_named_and_leaves_the_scale():
    def problem(*references, settings=SETTINGS):
        online = OnlineScale()
        for each in references:
            online.refer(each)
        online.observe(view(1.0, 2.0), False, settings)
        assert online.status.scale is None
        return online.status.problem

    assert 'no image within 0.05 s' in problem(reference(0.9))
    assert 'newer than the images' in problem(reference(3.0))
    assert "frame_id 'depth', the image has 'camera'" in problem(reference(1.0, frame_id='depth'))
    assert 'another aspect ratio' in problem(reference(1.0, size=(80, 60)))
    assert 'too few inliers' in problem(reference(1.0, outliers=0.9))
    exact = reference(1.0, outliers=0.0)
    assert 'has the stamp 0' in problem(replace(exact, stamp_ns=0))
    millimetres = replace(exact, depth=1000 * exact.depth)
    assert 'its numbers look like millimetres, but 32FC1 is in metres' in problem(millimetres)
    assert 'too few points' in problem(replace(exact, depth=1e6 * exact.depth))
    far = replace(SETTINGS, scale_reference_min=20.0)
    assert 'too few points' in problem(reference(1.0, outliers=0.0), settings=far)
    assert problem(reference(1.0, frame_id='/camera')) == ''
    assert problem(reference(1.0, frame_id='')) == ''


def test_before_the_first_fit_depth_scale_holds_and_relative_models_have_no_metres():
    def start(**changes):
        return OnlineScale().observe(view(0.0, 1.0), True, ScaleSettings(**changes)).scale

    assert start(depth_scale=1.5) == Scale(1.5)
    assert start(model='depth-anything-v2-s') is None
    assert start(model='depth-anything-v2-s', depth_scale=3.0) == Scale(3.0)


def test_of_many_references_each_frame_is_compared_with_the_nearest():
    compared = []
    online = OnlineScale(lambda stamp_ns, _: compared.append(stamp_ns))
    for index in range(20):
        seconds = index / 2
        for late_s in (-0.2, -0.04, -0.02, 0.01, 0.03, 0.2):
            online.refer(reference(seconds, late_s=late_s))
        online.observe(view(seconds, 2.0), index == 0, SETTINGS)
        # Those between two images have no frame, which is no problem.
        assert online.status.problem == '' or index < 4
    # With the sequence, the references before its first frame were dropped.
    assert compared == [stamp_at(index / 2 - 0.02) for index in range(1, 20)]
    assert online.status.scale.factor == pytest.approx(2.0, rel=0.02)


def test_references_are_of_use_only_while_frames_come():
    online = OnlineScale()
    assert not online.running
    online.observe(view(0.0, 1.0), True, SETTINGS)
    assert online.running


def test_unknown_depth_of_the_network_is_left_out():
    inverse = predicted(0.0, 2.0)
    inverse[:60] = np.nan
    online = OnlineScale()
    for index in range(5):
        stamp = stamp_at(index / RATE_HZ)
        online.refer(reference(0.0, late_s=index / RATE_HZ))
        online.observe(FrameView.of(inverse, stamp, 'camera'), index == 0, SETTINGS)
    assert online.status.scale.factor == pytest.approx(2.0, rel=0.02)


def test_contradicting_settings_are_refused():
    with pytest.raises(ConfigError, match=r'scale\.reference_min 50'):
        update(SETTINGS, {'scale.reference_min': 50.0})


def test_a_frame_with_a_reference_costs_little():
    online, inverse = OnlineScale(), predicted(0.0, 2.0, size=(480, 640))
    depth = true_depth(0.0, (480, 640))
    times = []
    for index in range(60):
        stamp = stamp_at(index / 30)
        start_s = time.thread_time()
        known = type(reference(0.0)).of(depth, stamp, 'camera')
        online.refer(known)
        online.observe(FrameView.of(inverse, stamp, 'camera'), index == 0, SETTINGS)
        times.append(1e3 * (time.thread_time() - start_s))
    assert np.median(times) < 4.0


def test_references_of_a_clock_that_is_ahead_are_never_used():
    online = OnlineScale()
    for index in range(120):
        seconds = index / RATE_HZ
        online.refer(reference(seconds + 5.0))
        online.observe(view(seconds, 2.0), index == 0, SETTINGS)
    assert online.status.scale is None
    assert 's newer than the images' in online.status.problem
