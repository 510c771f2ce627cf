"""Metrics: invariants, and comparison with slow implementations of their definitions."""

import numpy as np
import pytest

from flashdepth_ros import metrics
from flashdepth_ros.errors import InputError

HEIGHT, WIDTH = 36, 48


@pytest.fixture
def truth(rng):
    """Blocks of depth, 3 frames, each with edges in every direction, sky and a hole."""
    blocks = rng.uniform(1.0, 20.0, (3, 4, 6)) * np.array([1.0, 1.01, 1.02])[:, None, None]
    depth = np.kron(blocks, np.ones((9, 8)))
    depth[:, :4, :4] = np.inf
    depth[:, 20, 20] = np.nan
    return depth


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def noisy(depth, rng):
    return depth * np.exp(rng.normal(0.0, 0.1, depth.shape))


def test_a_perfect_prediction_has_perfect_scores(truth):
    assert metrics.abs_rel(truth, truth) == 0.0
    assert metrics.rmse(truth, truth) == 0.0
    assert [metrics.delta(truth, truth, power=p) for p in (1, 2, 3)] == [1.0, 1.0, 1.0]
    assert metrics.boundary_f1(truth, truth) == 1.0
    assert metrics.flicker(truth, truth) == 0.0
    np.testing.assert_array_equal(metrics.scale_drift(truth, truth), np.zeros(3))


def test_an_increasing_function_of_the_truth_has_the_right_order(truth):
    for depth in (truth, truth**3, 5 - 1 / truth):
        assert metrics.order_accuracy(depth, truth) == 1.0
        assert metrics.order_accuracy(-depth, truth) == 0.0


def test_order_does_not_depend_on_an_increasing_function_of_the_prediction(truth, rng):
    depth = noisy(noisy(truth, rng), rng)
    score = metrics.order_accuracy(depth, truth)
    assert 0.5 < score < 1.0
    assert metrics.order_accuracy(np.log(depth), truth) == score
    assert metrics.order_accuracy(1 / depth, 1 / truth) == pytest.approx(score, abs=1e-3)


def test_a_constant_or_random_prediction_has_the_order_of_chance(truth, rng):
    assert metrics.order_accuracy(np.ones_like(truth), truth) == 0.5
    assert metrics.order_accuracy(rng.random(truth.shape), truth) == pytest.approx(0.5, abs=0.03)


def test_order_equals_a_loop_over_all_pairs(rng):
    truth = rng.uniform(1.0, 2.0, 40)
    depth = truth * rng.uniform(0.8, 1.25, 40)
    right = [
        (depth[i] < depth[j]) == (truth[i] < truth[j])
        for i in range(40)
        for j in range(40)
        if max(truth[i] / truth[j], truth[j] / truth[i]) > 1.1
    ]
    assert metrics.order_accuracy(depth, truth) == pytest.approx(np.mean(right), abs=0.02)


def test_order_needs_true_depths_that_differ(truth):
    assert np.isnan(metrics.order_accuracy(truth, np.full_like(truth, 2.0)))
    assert np.isnan(metrics.order_accuracy(truth, np.full_like(truth, np.nan)))
    two = np.array([1.0, 1.3])
    assert metrics.order_accuracy(two, two, ratio=1.2) == 1.0
    assert np.isnan(metrics.order_accuracy(two, two, ratio=1.4))
    assert np.isnan(metrics.order_accuracy(two, two, mask=np.array([True, False])))


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_scores_equal_a_loop_over_pixels(truth, rng, dtype):
    depth, mask = noisy(truth, rng).astype(dtype), rng.random(truth.shape) < 0.5
    depth[0, 30, 30] = 0.0
    pairs = [
        (float(d), float(t))
        for d, t, used in zip(depth.flat, truth.flat, mask.flat, strict=True)
        if used and 0 < d < np.inf and 0 < t < np.inf
    ]
    n = len(pairs)
    assert metrics.abs_rel(depth, truth, mask) == pytest.approx(
        sum(abs(d - t) / t for d, t in pairs) / n
    )
    assert metrics.rmse(depth, truth, mask) == pytest.approx(
        (sum((d - t) ** 2 for d, t in pairs) / n) ** 0.5
    )
    for power in (1, 2, 3):
        within = sum(max(d / t, t / d) < 1.25**power for d, t in pairs)
        assert metrics.delta(depth, truth, mask, power) == pytest.approx(within / n)
    assert metrics.delta1(depth, truth, mask) == metrics.delta(depth, truth, mask, power=1)


@pytest.mark.parametrize(('scale', 'shift'), [(0.37, 0.0), (2.5, 0.04), (120.0, -3.0)])
def test_known_scale_and_shift_are_recovered(truth, scale, shift):
    inverse_depth = 1 / truth
    prediction = (inverse_depth - shift) / scale
    assert metrics.align_scale_shift(prediction, inverse_depth) == pytest.approx((scale, shift))
    if shift == 0.0:
        assert metrics.align_scale(prediction, inverse_depth) == pytest.approx(scale)


def test_alignment_is_the_least_squares_solution(truth, rng):
    prediction, mask = noisy(truth, rng) + 0.3, rng.random(truth.shape) < 0.5
    used = mask & np.isfinite(truth)
    columns = np.stack([prediction[used], np.ones(used.sum())], axis=1)
    expected = np.linalg.lstsq(columns, truth[used], rcond=None)[0]
    assert metrics.align_scale_shift(prediction, truth, mask) == pytest.approx(tuple(expected))
    expected = np.linalg.lstsq(columns[:, :1], truth[used], rcond=None)[0]
    assert metrics.align_scale(prediction, truth, mask) == pytest.approx(expected[0])


def test_moments_of_frames_sum_to_those_of_the_sequence(truth, rng):
    prediction = noisy(truth, rng)
    whole = metrics.Moments.of(prediction, truth)
    parts = metrics.Moments()
    for frame, true in zip(prediction, truth, strict=True):
        parts += metrics.Moments.of(frame, true)
    assert parts.scale_shift() == pytest.approx(whole.scale_shift())


def test_alignment_rejects_degenerate_input(truth):
    with pytest.raises(InputError, match='no scale fits 0 pixels'):
        metrics.align_scale(truth, np.full_like(truth, np.nan))
    with pytest.raises(InputError, match='one predicted value'):
        metrics.align_scale_shift(np.full_like(truth, 3.3), truth)


def test_different_shapes_are_rejected(truth):
    with pytest.raises(InputError, match=r'\(3, 36, 48\), \(36, 48\)'):
        metrics.abs_rel(truth, truth[0])


def test_scores_without_valid_pixels_are_nan(truth):
    no_pixel = np.zeros(truth.shape, dtype=bool)
    for metric in (metrics.abs_rel, metrics.rmse, metrics.delta1, metrics.boundary_f1):
        assert np.isnan(metric(truth, truth, no_pixel))
    assert np.isnan(metrics.flicker(truth, truth, no_pixel))
    assert np.isnan(metrics.scale_drift(truth, truth, no_pixel)).all()


def slow_f1(depth, truth):
    """Precision and recall from Depth Pro's definition, pixel by pixel."""
    valid = np.isfinite(truth) & np.isfinite(depth)
    scores, weights = [], []
    for threshold in np.linspace(1.05, 1.25, 10):
        predicted, true = set(), set()
        for y, x in np.argwhere(valid):
            for ny, nx in ((y, x + 1), (y, x - 1), (y + 1, x), (y - 1, x)):
                if 0 <= ny < HEIGHT and 0 <= nx < WIDTH and valid[ny, nx]:
                    for edges, image in ((predicted, depth), (true, truth)):
                        if image[ny, nx] / image[y, x] > threshold:
                            edges.add((y, x, ny, nx))
        common = len(predicted & true)
        precision, recall = common / len(predicted), common / len(true)
        scores.append(2 * precision * recall / (precision + recall))
        weights.append(threshold)
    return np.dot(scores, weights) / np.sum(weights)


def test_boundary_f1_equals_its_definition_and_ignores_scale(truth, rng):
    depth = noisy(truth, rng)
    expected = np.mean([slow_f1(d, t) for d, t in zip(depth[:2], truth[:2], strict=True)])
    assert 0.05 < expected < 0.95
    assert metrics.boundary_f1(depth[:2], truth[:2]) == pytest.approx(expected)
    assert metrics.boundary_f1(7.0 * depth[:2], truth[:2]) == pytest.approx(expected)


def test_smooth_predictions_of_sharp_scenes_have_no_boundaries(truth):
    assert metrics.boundary_f1(np.full_like(truth, 5.0), truth) == 0.0
    assert np.isnan(metrics.boundary_f1(np.full_like(truth, 5.0), np.full_like(truth, 9.0)))


def test_scale_drift_is_the_deviation_of_the_first_frames(truth):
    factors = np.array([1.0, 1.1, 0.8])
    expected = [0.0, *(np.std(1 / factors[:n]) / np.mean(1 / factors[:n]) for n in (2, 3))]
    prediction = truth * factors[:, None, None]
    np.testing.assert_allclose(metrics.frame_scales(prediction, truth), 1 / factors)
    np.testing.assert_allclose(metrics.scale_drift(prediction, truth), expected, atol=1e-9)


def test_frames_without_truth_do_not_change_the_drift():
    curve = metrics.drift_curve(np.array([np.nan, 2.0, np.nan, 4.0]))
    np.testing.assert_allclose(curve, [np.nan, 0.0, 0.0, 1 / 3])


def test_flicker_is_the_change_in_excess_of_the_true_change(truth):
    flickering = truth * np.array([1.0, 1.02, 1.0])[:, None, None]
    assert metrics.flicker(3.0 * truth, truth) == pytest.approx(0.0, abs=1e-12)
    assert metrics.flicker(flickering, truth) == pytest.approx(np.log(1.02))
    moving = truth * np.array([1.0, 2.0, 4.0])[:, None, None]
    assert np.isnan(metrics.flicker(flickering, moving))
