"""The confidence of depth: its laws, and that it tells smaller errors from larger ones."""

import cv2
import numpy as np
import pytest

from flashdepth_ros.bags.sample import sample_recording
from flashdepth_ros.runtime import DepthEstimator, ResetReason
from flashdepth_ros.runtime.confidence import ConfidenceRater
from flashdepth_ros.runtime.sequence import SequencePosition
from runtime.confidence_accuracy import errors_by_confidence, rated_errors

SIZE = (224, 336)
CELL = 2
RNG = np.random.default_rng(8)


def surface(seed=0, size=SIZE):
    """Return smooth inverse depth from 0.2 to 1 per metre."""
    coarse = np.random.default_rng(seed).uniform(0.2, 1.0, (6, 9)).astype(np.float32)
    return np.clip(cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC), 0.2, 1.0)


def position(number, sequence=0):
    return SequencePosition(sequence, number, ResetReason.NONE)


def rate_all(frames, rater=None):
    """Return the confidences of the frames of one sequence."""
    rater = rater or ConfidenceRater()
    return [rater.rate(frame, position(number)) for number, frame in enumerate(frames)]


def noisy(frame, share):
    """Return the frame with coarse noise of a relative size, as a network flickers."""
    coarse = RNG.normal(0.0, share, (28, 42)).astype(np.float32)
    return frame * np.exp(cv2.resize(coarse, frame.shape[::-1]))


@pytest.mark.parametrize('size', [(14, 14), (112, 150), (448, 602), (518, 98), SIZE])
def test_confidence_has_the_size_of_depth_and_is_from_0_to_1(size):
    frames = [RNG.uniform(0, 3, size).astype(np.float32) for _ in range(3)]
    copies = [frame.copy() for frame in frames]
    for confidence in rate_all(frames):
        assert confidence.shape == size
        assert confidence.dtype == np.float32
        assert confidence.min() >= 0
        assert confidence.max() <= 1
    np.testing.assert_array_equal(frames, copies)


def test_the_scale_of_frames_does_not_matter():
    frames = [noisy(surface(), 0.05) for _ in range(4)]
    scaled = [
        frame * np.float32(factor) for frame, factor in zip(frames, (1, 9, 0.1, 40), strict=True)
    ]
    for one, other in zip(rate_all(frames), rate_all(scaled), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_confidence_rises_while_nothing_changes():
    means = [float(each.mean()) for each in rate_all([surface()] * 30)]
    assert (np.diff(means) > 0).all()
    assert means[0] < 0.4
    assert means[-1] > 0.8


@pytest.mark.parametrize('share', [0.05, 0.2])
def test_what_flickers_has_less_confidence_than_what_does_not(share):
    still = surface()
    half = still.shape[1] // 2
    frames = [np.hstack((noisy(still, share)[:, :half], still[:, half:])) for _ in range(12)]
    last = rate_all(frames)[-1]
    assert last[:, : half - 30].mean() < last[:, half + 30 :].mean() - 0.1


def test_more_flicker_gives_less_confidence():
    means = [
        rate_all([noisy(surface(), share) for _ in range(12)])[-1].mean()
        for share in (0.0, 0.02, 0.1, 0.4)
    ]
    assert (np.diff(means) < 0).all()


def test_a_shift_by_one_cell_is_no_change():
    wide = surface(size=(SIZE[0], SIZE[1] + 60))
    moving = [wide[:, index * CELL : index * CELL + SIZE[1]] for index in range(20)]
    still = rate_all([wide[:, : SIZE[1]]] * 20)[-1].mean()
    assert rate_all(moving)[-1].mean() > still - 0.05
    jumping = [wide[:, (index % 2) * 50 :][:, : SIZE[1]] for index in range(20)]
    assert rate_all(jumping)[-1].mean() < still - 0.2


def test_depth_edges_have_less_confidence():
    step = np.full(SIZE, 0.2, np.float32)
    step[:, 168:] = 1.0
    last = rate_all([step] * 20)[-1]
    assert last[:, 166:170].mean() < 0.5 < 0.8 < last[:, :150].mean()


@pytest.mark.parametrize(
    'positions',
    [
        pytest.param([position(n) for n in range(8)] + [position(0, 1)], id='new sequence'),
        pytest.param([position(n) for n in range(8)] + [position(9)], id='frame left out'),
    ],
)
def test_without_a_predecessor_confidence_is_that_of_a_first_frame(positions):
    rater = ConfidenceRater()
    confidences = [rater.rate(surface(), each) for each in positions]
    np.testing.assert_array_equal(confidences[-1], confidences[0])
    assert confidences[-2].mean() > confidences[0].mean() + 0.1


def test_after_a_change_of_size_confidence_is_that_of_a_first_frame():
    rater = ConfidenceRater()
    rate_all([surface()] * 5, rater)
    other = surface(size=(224, 300))
    first = ConfidenceRater().rate(other, position(0))
    np.testing.assert_array_equal(rater.rate(other, position(5)), first)


def test_unknown_depth_has_no_confidence_and_leaves_nothing_behind():
    damaged = surface().copy()
    damaged[50:90, 100:180] = np.nan
    frames = [surface()] * 5 + [damaged] + [surface()]
    *_, at_damage, after = rate_all(frames)
    assert (at_damage[50:90, 100:180] == 0).all()
    assert np.isfinite(at_damage).all()
    assert at_damage[150:].min() > 0.3
    np.testing.assert_array_equal(after, ConfidenceRater().rate(surface(), position(0)))
    nothing = rate_all([np.full(SIZE, np.nan, np.float32)] * 2)[-1]
    assert (nothing == 0).all()


def test_sky_alone_is_rated():
    assert np.isfinite(rate_all([np.zeros(SIZE, np.float32)] * 3)).all()


def test_confident_pixels_of_the_sample_recording_have_smaller_errors():
    estimator = DepthEstimator(engine='torch', precision='fp32')
    confidences, errors, _ = rated_errors(sample_recording(), estimator, frames=24)
    more, less = errors_by_confidence(confidences, errors, 2)
    assert more < 0.8 * less
    quarters = errors_by_confidence(confidences, errors, 4)
    assert quarters[0] < quarters[1] < quarters[3]
    assert quarters[0] < 0.65 * quarters[3]
