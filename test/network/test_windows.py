"""Offline estimation in windows: against the procedure over a whole video, written out."""

import numpy as np
import pytest
import torch

from flashdepth_ros.errors import InputError
from flashdepth_ros.network import create_model, offline, window
from support.golden_models import golden_clip, golden_model

SIZE = (56, 70)
MODEL = 'video-depth-anything-tiny'


class Windows:
    """Stands for a network: deterministic windows of another scale and shift each."""

    def __init__(self, metric=False):
        self.config = create_model(MODEL).config if not metric else _Metric
        self.inputs = []

    def estimate_window(self, frames):
        self.inputs.append(frames[0])
        number = len(self.inputs)
        values = frames[0].mean(dim=1) + 0.01 * number * torch.arange(32.0)[:, None, None]
        estimates = (1.0 + 0.3 * number) * values - 0.2 * number
        return estimates.reciprocal()[None] if self.config.metric else estimates[None]


class _Metric:
    metric = True


def whole_video(model, frames):
    """Compute the same with all windows at once, as the paper describes it."""
    count = len(frames)
    starts = range(0, count, 22)
    frames = frames + frames[-1:] * 64
    inputs, estimates = [], []
    for start in starts:
        window = frames[start : start + 32]
        if inputs:
            window[:10] = [inputs[-1][place] for place in (0, 12, *range(24, 32))]
        inputs.append(window)
        values = model.estimate_window(torch.stack(window)[None])[0].double().numpy()
        estimates.append(1.0 / values if model.config.metric else values)
    aligned = list(estimates[0])
    references = [estimates[0][0], estimates[0][12]]
    for values in estimates[1:]:
        if not model.config.metric:
            matrix = np.stack([values[:2].ravel(), np.ones(values[:2].size)], axis=1)
            (scale, shift), *_ = np.linalg.lstsq(matrix, np.ravel(references), rcond=None)
            values = np.maximum(scale * values + shift, 0)
        for index, weight in enumerate(np.linspace(0, 1, 8)):
            old = aligned[-8 + index]
            aligned[-8 + index] = (1 - weight) * old + weight * values[2 + index]
        aligned += list(values[10:])
        references[1] = values[12]
    return 1.0 / np.stack(aligned[:count]) if model.config.metric else np.stack(aligned[:count])


def video(count):
    random = np.random.default_rng(0)
    base = random.uniform(1.0, 2.0, (3, 4, 5))
    drift = random.uniform(0.0, 0.1, (count, 3, 4, 5)).cumsum(axis=0)
    return [torch.from_numpy((base + each).astype(np.float32)) for each in drift]


@pytest.mark.parametrize('metric', [False, True])
@pytest.mark.parametrize('count', [1, 8, 21, 22, 23, 31, 32, 33, 44, 45, 54, 55, 100])
def test_windows_are_aligned_and_blended(count, metric):
    frames = video(count)
    streamed = torch.stack(list(offline(Windows(metric), iter(frames)))).numpy()
    assert len(streamed) == count
    np.testing.assert_allclose(streamed, whole_video(Windows(metric), frames), rtol=1e-4)


def test_no_frames_give_nothing():
    assert not list(offline(Windows(), []))


def test_memory_is_bounded():
    read = 0

    def frames():
        nonlocal read
        for frame in video(200):
            read += 1
            yield frame

    for finished, _ in enumerate(offline(Windows(), frames()), start=1):
        assert read - finished < 32


def test_network_takes_part():
    model = golden_model(MODEL)
    frames = golden_clip(24, *SIZE)[0]
    estimates = torch.stack(list(offline(model, frames)))
    with torch.inference_mode():
        first = window(model, torch.cat((frames, frames[-1:].expand(8, -1, -1, -1)))[None])[0]
    torch.testing.assert_close(estimates[:24], first[:24])


def test_one_scene_gives_one_depth_before_training():
    frames = golden_clip(1, *SIZE)[0].expand(40, -1, -1, -1)
    estimates = torch.stack(list(offline(create_model(MODEL), frames)))
    torch.testing.assert_close(estimates, estimates[:1].expand_as(estimates))


def test_longer_windows_are_refused():
    with pytest.raises(InputError, match='at most 32'):
        window(create_model(MODEL), torch.zeros(1, 33, 3, 28, 28))


def test_videos_of_several_sizes_and_other_networks_are_refused():
    frames = [torch.zeros(3, 28, 28), torch.zeros(3, 28, 42)]
    with pytest.raises(InputError, match='several sizes'):
        next(offline(create_model(MODEL), frames))
    other = create_model('flashdepth-tiny-s')
    with pytest.raises(InputError, match='has no windows'):
        window(other, torch.zeros(1, 2, 3, 28, 28))
    with pytest.raises(InputError, match='has no windows'):
        next(offline(other, frames))


def test_a_frame_that_is_not_finite_spoils_only_its_own_windows():
    frames = [frame.clone() for frame in golden_clip(80, *SIZE)[0]]
    frames[5][0, 3, 4] = torch.nan
    estimates = torch.stack(list(offline(golden_model(MODEL), frames)))
    # The first window has it, and over eight frames the second one is blended with the first.
    assert not estimates[:24].isfinite().all()
    assert estimates[32:].isfinite().all()


def test_a_model_without_windows_is_refused_before_the_first_frame():
    with pytest.raises(InputError, match='has no windows'):
        offline(create_model('flashdepth-tiny-s'), [])


def test_maps_can_be_used_for_training():
    (depth,) = offline(golden_model(MODEL), golden_clip(1, *SIZE)[0])
    scale = torch.ones((), requires_grad=True)
    (scale * depth).sum().backward()
    assert scale.grad == depth.sum()


@pytest.mark.parametrize('frame', [np.zeros((3, *SIZE), np.float32), torch.zeros(1, 3, *SIZE)])
def test_frames_of_another_kind_are_refused(frame):
    with pytest.raises(InputError, match=r'tensor \(3, H, W\) expected'):
        next(offline(golden_model(MODEL), [frame]))
