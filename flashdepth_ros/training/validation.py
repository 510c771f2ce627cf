"""Validate a model on complete sequences."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
import torch

from flashdepth_ros import metrics
from flashdepth_ros.errors import InputError
from flashdepth_ros.network import Network
from flashdepth_ros.training.augmentation import crop_and_resize
from flashdepth_ros.training.batches import CHUNK, normalise
from flashdepth_ros.training.config import TrainingConfig
from flashdepth_ros.training.progress import Progress
from flashdepth_ros.training.sources import find_videos
from flashdepth_ros.training.video import Video, Window

Array = NDArray[np.float32]

METRICS = ('delta1', 'abs_rel', 'aligned_delta1', 'aligned_abs_rel', 'boundary_f1', 'drift')
"""The metrics of a validation; each is the mean over the videos."""

FARTHEST_M = 1000.0
"""Predicted depth is limited to this, so that infinite depth on a surface counts as an error."""


@dataclass(frozen=True)
class Validation:
    """The videos of a validation, and the size of the network input."""

    videos: tuple[Video, ...]
    frames: int
    size: tuple[int, int]

    @staticmethod
    def from_config(config: TrainingConfig) -> 'Validation':
        """Select the videos evenly from the sources of the configuration."""
        validation, last = config.validation, config.phases[-1]
        size = (validation.height or last.height, validation.width or last.width)
        found = [video for source in validation.sources for video in find_videos(source)]
        positions = np.linspace(0, len(found) - 1, min(validation.videos, len(found)))
        videos = tuple(found[round(position)] for position in positions)
        return Validation(videos, validation.frames, size)

    def run(self, model: Network, device: torch.device) -> dict[str, float]:
        """Return the metrics of `model`; NaN where a metric is defined for no video."""
        scores = []
        progress = Progress()
        for number, video in enumerate(self.videos, start=1):
            progress.log('validation: video %d of %d', number, len(self.videos))
            frames = range(min(self.frames, video.length))
            window = crop_and_resize(video.read(frames), self.size)
            window = window.canonical(model.config.canonical_focal, video.name(0))
            scores.append(score(predict(model, window, device), window.inverse_depth))
        return {name: _mean([each[name] for each in scores]) for name in METRICS}


def predict(model: Network, window: Window, device: torch.device) -> Array:
    """Return the inverse depth (T, H, W) of a sequence, with the state passed between frames."""
    state = None
    parts = []
    with torch.inference_mode():
        for start in range(0, len(window.rgb), CHUNK):
            rgb = torch.from_numpy(window.rgb[start : start + CHUNK]).to(device)
            frames = normalise(rgb.permute(0, 3, 1, 2)[None])
            inverse_depth, state = model(frames, state)
            parts.append(inverse_depth[0].cpu().numpy())
    return np.concatenate(parts)


def score(inverse_depth: Array, true_inverse_depth: Array) -> dict[str, float]:
    """
    Compare inverse depth (T, H, W) with the ground truth, as predicted and aligned.

    Aligned: with one scale and shift for the whole sequence, fitted in inverse depth. Drift: the
    relative standard deviation of the best scales of single frames.
    """
    surface = np.where(true_inverse_depth > 0, true_inverse_depth, np.nan)
    depth, true_depth = _depth(inverse_depth), _depth(surface)
    scores = {
        'delta1': metrics.delta1(depth, true_depth),
        'abs_rel': metrics.abs_rel(depth, true_depth),
        'boundary_f1': metrics.boundary_f1(depth, true_depth),
        'drift': float(metrics.scale_drift(inverse_depth, true_inverse_depth)[-1]),
        'aligned_delta1': np.nan,
        'aligned_abs_rel': np.nan,
    }
    try:
        scale, shift = metrics.align_scale_shift(inverse_depth, true_inverse_depth)
    except InputError:  # The prediction is constant, as untrained models may predict.
        return scores
    aligned = _depth(scale * inverse_depth + shift)
    scores['aligned_delta1'] = metrics.delta1(aligned, true_depth)
    scores['aligned_abs_rel'] = metrics.abs_rel(aligned, true_depth)
    return scores


def _depth(inverse_depth: Array) -> Array:
    """Return depth in metres, at most `FARTHEST_M`; NaN stays NaN and is not evaluated."""
    return np.asarray(1.0 / np.maximum(inverse_depth, 1.0 / FARTHEST_M), dtype=np.float32)


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else np.nan
