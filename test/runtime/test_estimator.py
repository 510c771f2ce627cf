from dataclasses import replace
import weakref

import numpy as np
import pytest
import torch

from flashdepth_ros.errors import ConfigError, InputError
from flashdepth_ros.network import StreamState
from flashdepth_ros.runtime import DepthEstimator, ResetReason
from support import golden_models, golden_recipe

PRESET = 'flashdepth-tiny-s'
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
PERIOD_NS = 33_000_000


@pytest.fixture(scope='module')
def weights():
    return golden_models.golden_model(PRESET).state_dict()


def create(weights, **options):
    return DepthEstimator(PRESET, weights, 'cpu', 'fp32', 'torch', **options)


def images(count, height=112, width=140):
    return [golden_recipe.frame_uint8(index, height, width) for index in range(count)]


def test_estimate_equals_the_network_on_the_normalised_image(weights):
    estimator, state = create(weights), None
    model = golden_models.golden_model(PRESET)
    for index, image in enumerate(images(3)):
        frame = estimator.estimate(image, index * PERIOD_NS)
        normalised = ((image / 255.0 - MEAN) / STD).transpose(2, 0, 1).astype(np.float32)
        with torch.inference_mode():
            expected, state = model(torch.from_numpy(normalised)[None, None], state)
        np.testing.assert_allclose(frame.inverse_depth, expected[0, 0].numpy(), 1e-4, 1e-6)
        np.testing.assert_allclose(frame.depth, 1.0 / frame.inverse_depth, 1e-6)
        assert frame.depth.shape == (112, 140)
        assert frame.depth.dtype == frame.inverse_depth.dtype == np.float32


def matrix(focal_px):
    return (focal_px, 0.0, 70.0, 0.0, focal_px, 56.0, 0.0, 0.0, 1.0)


def test_depth_is_proportional_to_the_focal_length(weights):
    """Without a camera matrix the focal length is that of the canonical camera."""
    image = images(1)[0]
    unknown, canonical, doubled, portrait = (
        create(weights).estimate(each, 0, camera_matrix=camera).depth
        for each, camera in (
            (image, None),
            (image, matrix(0.8 * 112)),
            (image, matrix(2 * 0.8 * 112)),
            (image.transpose(1, 0, 2), matrix(2 * 0.8 * 112)),
        )
    )
    np.testing.assert_allclose(canonical, unknown, 1e-6)
    np.testing.assert_allclose(doubled, 2 * unknown, 1e-6)
    portrait_unknown = create(weights).estimate(image.transpose(1, 0, 2), 0).depth
    np.testing.assert_allclose(portrait, 2 * portrait_unknown, 1e-6)


def test_camera_matrix_is_kept_for_frames_without_one(weights):
    with_camera, without = create(weights), create(weights)
    ratios = []
    for index, (image, camera) in enumerate(
        zip(images(3), (None, matrix(179.2), None), strict=True)
    ):
        stamp = index * PERIOD_NS
        frame = with_camera.estimate(image, stamp, camera_matrix=camera)
        ratios.append(np.median(frame.depth / without.estimate(image, stamp).depth))
        assert frame.frames_since_reset == index
    np.testing.assert_allclose(ratios, [1.0, 2.0, 2.0], 1e-5)


@pytest.mark.parametrize('focal_px', [0.0, -1.0, np.nan, np.inf])
def test_uncalibrated_camera_matrix_is_ignored(weights, focal_px):
    uncalibrated = create(weights).estimate(images(1)[0], 0, camera_matrix=matrix(focal_px))
    np.testing.assert_array_equal(
        uncalibrated.depth, create(weights).estimate(images(1)[0], 0).depth
    )


def test_camera_matrix_may_be_an_array_or_lists(weights):
    estimator, array = create(weights), np.array(matrix(179.2)).reshape(3, 3)
    estimator.estimate(images(1)[0], 0, camera_matrix=matrix(179.2))
    for index, each in enumerate((array, array.ravel(), array.tolist()), start=1):
        frame = estimator.estimate(images(1)[0], index * PERIOD_NS, camera_matrix=each)
        assert frame.frames_since_reset == index


@pytest.mark.parametrize('wrong', [(500.0, 500.0, 70.0, 56.0), np.eye(4), 'K', [[1.0], []]])
def test_what_is_no_camera_matrix_is_refused(weights, wrong):
    estimator, image = create(weights), images(1)[0]
    estimator.estimate(image, 0)
    with pytest.raises(InputError, match='camera matrix'):
        estimator.estimate(image, PERIOD_NS, camera_matrix=wrong)
    assert estimator.estimate(image, PERIOD_NS).frames_since_reset == 1


def test_camera_matrix_of_another_frame_id_is_not_used(weights):
    estimator, image = create(weights), images(1)[0]
    estimator.estimate(image, 0, 'left', matrix(179.2))
    other = estimator.estimate(image, PERIOD_NS, 'right')
    assert other.reset_reason == 'geometry_changed'
    np.testing.assert_array_equal(other.depth, create(weights).estimate(image, 0).depth)


def test_model_without_canonical_camera_ignores_the_camera_matrix(weights):
    estimator, image = create(weights), images(1)[0]
    estimator.config = replace(estimator.config, canonical_focal=0.0)
    expected = create(weights).estimate(image, 0).depth
    depth = estimator.estimate(image, 0, camera_matrix=matrix(500.0)).depth
    np.testing.assert_array_equal(depth, expected)


def test_reset_drops_the_state_and_reports_the_reason(weights):
    estimator = create(weights)
    image, frames = images(1)[0], []
    for index in range(3):
        if index == 2:
            estimator.reset()
        frames.append(estimator.estimate(image, index * PERIOD_NS))
    assert [frame.reset_reason for frame in frames] == ['first_frame', '', 'requested']
    assert [frame.sequence_id for frame in frames] == [0, 0, 1]
    assert [frame.frames_since_reset for frame in frames] == [0, 1, 0]
    assert np.abs(frames[1].inverse_depth - frames[0].inverse_depth).max() > 1e-4
    np.testing.assert_array_equal(frames[2].inverse_depth, frames[0].inverse_depth)


def test_without_temporal_state_every_frame_is_independent(weights):
    estimator = create(weights, temporal=False)
    frames = [estimator.estimate(images(1)[0], index * PERIOD_NS) for index in range(2)]
    np.testing.assert_array_equal(frames[0].inverse_depth, frames[1].inverse_depth)
    assert frames[1].frames_since_reset == 1


@pytest.mark.parametrize(('output', 'shape'), [('input', (100, 150)), ('inference', (70, 98))])
def test_output_size(weights, output, shape):
    frame = create(weights, short_side=64, output_size=output).estimate(images(1, 100, 150)[0], 0)
    assert frame.inverse_depth.shape == frame.depth.shape == shape


def test_read_only_and_strided_images_are_accepted(weights):
    image = images(1)[0]
    read_only = np.frombuffer(image.tobytes(), np.uint8).reshape(image.shape)
    mirrored = image[:, ::-1, ::-1]
    estimator = create(weights, temporal=False)
    plain = estimator.estimate(image, 0).depth
    np.testing.assert_array_equal(estimator.estimate(read_only, 1).depth, plain)
    copied = estimator.estimate(mirrored.copy(), 2).depth
    np.testing.assert_array_equal(estimator.estimate(mirrored, 3).depth, copied)


def test_invalid_images_are_rejected_without_effect(weights):
    estimator, image = create(weights), images(1)[0]
    estimator.estimate(image, 0)
    for invalid in (image[..., :2], image.astype(np.float32), image[:0], image[0]):
        with pytest.raises(InputError, match=r'\(H, W, 3\) uint8 RGB expected'):
            estimator.estimate(invalid, PERIOD_NS)
    assert estimator.estimate(image, PERIOD_NS).frames_since_reset == 1


def test_non_finite_state_is_dropped_and_the_frame_repeated(weights):
    estimator, image = create(weights), images(1)[0]
    fresh = estimator.estimate(image, 0)
    estimator._state = StreamState(estimator._state.ssm * torch.inf)
    frame = estimator.estimate(image, PERIOD_NS)
    assert frame.reset_reason == 'non_finite'
    np.testing.assert_array_equal(frame.inverse_depth, fresh.inverse_depth)
    assert estimator.estimate(image, 2 * PERIOD_NS).reset_reason == ''


def test_output_that_stays_non_finite_is_nan(weights):
    invalid = dict(weights, **{'decoder.head.conv3.bias': torch.tensor([torch.nan])})
    estimator = create(invalid)
    frames = [estimator.estimate(images(1)[0], index * PERIOD_NS) for index in range(3)]
    assert [frame.reset_reason for frame in frames] == ['first_frame', 'non_finite', 'non_finite']
    assert all(np.isnan(frame.depth).all() for frame in frames)


def test_reset_before_the_first_frame_is_reported_once(weights):
    estimator = create(weights)
    estimator.reset(ResetReason.CLOCK_JUMP)
    reasons = [estimator.estimate(images(1)[0], i * PERIOD_NS).reset_reason for i in range(2)]
    assert reasons == ['first_frame', '']


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            {'device': 'tpu'},
            "unknown device 'tpu'; expected one of auto, cpu, cuda, cuda:N, intel_gpu",
        ),
        ({'device': 'cuda:99'}, 'install a CUDA build of torch'),
        (
            {'precision': 'int3'},
            "unknown precision 'int3'; expected one of auto, fp32, bf16, fp16",
        ),
        ({'engine': 'steam'}, "unknown engine 'steam'; expected one of auto"),
        ({'output_size': 'huge'}, "unknown output size 'huge'; expected one of input, inference"),
        ({'model': 'flashdepth-xl'}, 'flashdepth-tiny'),
    ],
)
def test_unknown_options_are_rejected_with_the_valid_ones(weights, options, message):
    with pytest.raises(ConfigError, match=message):
        DepthEstimator(**({'model': PRESET, 'weights': weights} | options))


def test_bf16_is_close_to_fp32(weights):
    fp32, bf16 = create(weights), DepthEstimator(PRESET, weights, 'cpu', 'bf16', 'torch')
    for index, image in enumerate(images(3)):
        frame, expected = (e.estimate(image, index * PERIOD_NS) for e in (bf16, fp32))
        error = np.abs(frame.inverse_depth - expected.inverse_depth) / expected.inverse_depth
        assert error.mean() < 0.01


def test_the_cache_of_temporal_attention_is_flat_and_freed_by_a_reset():
    name = 'video-depth-anything-tiny'
    weights = golden_models.golden_model(name).state_dict()
    estimator = DepthEstimator(name, weights, 'cpu', 'fp32', 'torch', short_side=28)
    sizes = set()
    for index in range(150):
        estimator.estimate(np.full((28, 28, 3), index % 256, np.uint8), index * 10**8)
        sizes.add(estimator.state_memory_bytes())
    assert len(sizes) == 1
    caches = [weakref.ref(cache) for cache in estimator._state]
    estimator.reset()
    frame = estimator.estimate(np.zeros((28, 28, 3), np.uint8), 10**12)
    assert frame.reset_reason == 'requested'
    assert not [cache for cache in caches if cache() is not None]


def test_another_input_size_resets_temporal_attention_but_not_the_recurrence():
    for name, reason in (
        ('video-depth-anything-tiny', 'geometry_changed'),
        ('flashdepth-tiny-s', ''),
    ):
        weights = golden_models.golden_model(name).state_dict()
        estimator = DepthEstimator(name, weights, 'cpu', 'fp32', 'torch', short_side=56)
        image = np.zeros((56, 70, 3), np.uint8)
        estimator.estimate(image, 0)
        estimator.size = replace(estimator.size, short_side=42)
        assert estimator.estimate(image, 10**8).reset_reason == reason
        assert estimator.estimate(image, 2 * 10**8).reset_reason == ''
