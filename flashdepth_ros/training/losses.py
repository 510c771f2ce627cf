"""
Loss terms: errors of inverse depth, of its spatial gradients and of its change over time.

Arguments are inverse depth (B, T, H, W), float32, 1/m. 0 is infinitely far and enters the loss;
NaN in the target is unknown and does not. Every term returns one number per clip, (B,): the mean
over the pixels of the clip that enter it, 0 if there are none. So the loss of a batch is the mean
over its clips, independent of how the batch is split among processes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from flashdepth_ros.training.parsing import Positive, Unsigned

SCALES = 4
"""Number of resolutions of gradient matching, each half of the previous one."""

TRIMMED_SHARE = 0.2
"""Share of the largest residuals that the scale- and shift-invariant loss excludes."""

STATIC_LIMIT = 0.05
"""A pixel is static between two frames if it changes by less than this share of the range."""


@dataclass(frozen=True)
class LossConfig:
    """Weights of the terms; a term with weight 0 is not computed."""

    l1: Unsigned = 0.0
    """L1 on 100 / metres, as in the FlashDepth paper; near pixels dominate."""
    log_l1: Unsigned = 1.0
    """L1 on ln(1 + far_m * inverse depth): the relative error of depths up to about `far_m`."""
    shape: Unsigned = 0.0
    """Like `log_l1` on surfaces, minus the mean error of each frame: ignores the frame's scale."""
    gradient: Unsigned = 0.0
    """Gradient matching at several scales, in the space of `log_l1`: sharp boundaries."""
    temporal_gradient: Unsigned = 0.0
    """Change between frames where the target is static, in the space of `log_l1`."""
    aligned_temporal_gradient: Unsigned = 0.0
    """`temporal_gradient` of clips normalised as by `scale_shift_invariant`: without a unit."""
    drift: Unsigned = 0.0
    """Deviation of the frames' best scales within a clip, as in `metrics.scale_drift`."""
    scale_shift_invariant: Unsigned = 0.0
    """The loss of the Video Depth Anything paper, with its own gradient term."""
    far_m: Positive = 30.0
    """Depth at which relative errors have half weight, m; see `log_compress`."""


def training_loss(prediction: Tensor, target: Tensor, config: LossConfig) -> dict[str, Tensor]:
    """Return the mean over clips of each term in use, and their weighted sum as 'loss'."""
    near, near_target = (log_compress(inverse, config.far_m) for inverse in (prediction, target))
    terms: dict[str, Callable[[], Tensor]] = {
        'l1': lambda: 100.0 * l1(prediction, target),
        'log_l1': lambda: l1(near, near_target),
        'shape': lambda: shape(near, near_target),
        'gradient': lambda: gradient_matching(near, near_target),
        'temporal_gradient': lambda: temporal_gradient_matching(near, near_target),
        'aligned_temporal_gradient': lambda: temporal_gradient_matching(
            *_normalise_both(prediction, target)
        ),
        'drift': lambda: drift(prediction, target),
        'scale_shift_invariant': lambda: scale_shift_invariant(prediction, target),
    }
    used = {name: term().mean() for name, term in terms.items() if getattr(config, name)}
    total = sum(
        (getattr(config, name) * value for name, value in used.items()), near.new_zeros(())
    )
    return {'loss': total, **used}


def log_compress(inverse_depth: Tensor, far_m: float) -> Tensor:
    """
    Return ln(1 + far_m * inverse depth): linear near 0 (the sky), logarithmic for near surfaces.

    A relative error at depth z has the weight far_m / (far_m + z): 1 at 0, 0.5 at `far_m`.
    """
    return torch.log1p(far_m * inverse_depth)


def l1(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference, in the space of the arguments."""
    mask = target.isfinite()
    return clip_mean((prediction - target.nan_to_num()).abs(), mask)


def shape(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference on surfaces after subtracting each frame's mean."""
    surface = target > 0
    difference = torch.where(surface, prediction - target, 0.0)
    means = clip_mean(difference.flatten(0, 1), surface.flatten(0, 1))
    return clip_mean((difference - means.view(len(target), -1, 1, 1)).abs(), surface)


def gradient_matching(prediction: Tensor, target: Tensor, scales: int = SCALES) -> Tensor:
    """Return the mean gradient of the difference over `scales` resolutions (MegaDepth, MiDaS)."""
    mask = target.isfinite()
    difference = torch.where(mask, prediction - target.nan_to_num(), 0.0)
    total = torch.zeros(len(target), dtype=prediction.dtype, device=prediction.device)
    for scale in range(scales):
        step = 2**scale
        coarse, known = difference[..., ::step, ::step], mask[..., ::step, ::step]
        total = total + clip_mean(coarse.diff(dim=-1).abs(), known[..., 1:] & known[..., :-1])
        total = total + clip_mean(
            coarse.diff(dim=-2).abs(), known[..., 1:, :] & known[..., :-1, :]
        )
    return total / scales


def temporal_gradient_matching(prediction: Tensor, target: Tensor) -> Tensor:
    """
    Return the difference in temporal change where the target is static; 0 for one frame.

    | |d' - d| - |g' - g| | where |g' - g| < 5 % of the clip's range (arXiv 2501.12375).
    """
    mask = target.isfinite()
    known = target.nan_to_num()
    highest = known.masked_fill(~mask, -torch.inf).flatten(1).amax(dim=1)
    lowest = known.masked_fill(~mask, torch.inf).flatten(1).amin(dim=1)
    change = known.diff(dim=1).abs()
    static = change < STATIC_LIMIT * (highest - lowest).view(-1, 1, 1, 1)
    return clip_mean(
        (prediction.diff(dim=1).abs() - change).abs(), static & mask[:, 1:] & mask[:, :-1]
    )


def drift(prediction: Tensor, target: Tensor) -> Tensor:
    """
    Return the mean absolute deviation of the log scales of the frames; 0 for one frame.

    The scale of a frame is the least-squares one in inverse depth; a constant scale error is no
    drift. Frames without surfaces, in target or prediction, are excluded.
    """
    surface = target > 0
    predicted, true = (torch.where(surface, each, 0.0) for each in (prediction, target))
    cross, square = ((predicted * each).flatten(2).sum(dim=2) for each in (true, predicted))
    known = cross > 0
    scales = torch.where(known, cross, 1.0).log() - torch.where(known, square, 1.0).log()
    return clip_mean((scales - clip_mean(scales, known).unsqueeze(1)).abs(), known)


def scale_shift_invariant(prediction: Tensor, target: Tensor) -> Tensor:
    """
    Return the trimmed error plus gradient error after normalising each clip (MiDaS).

    Prediction and target are shifted by their median and divided by their mean absolute deviation
    over the clip, which makes the loss invariant to scale > 0 and shift; the largest 20 % of the
    residuals are excluded.
    """
    prediction, target = _normalise_both(prediction, target)
    return trimmed_l1(prediction, target) + gradient_matching(prediction, target)


def trimmed_l1(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference without the largest 20 % of it."""
    mask = target.isfinite()
    residuals = (prediction - target.nan_to_num()).abs()
    ordered = residuals.detach().masked_fill(~mask, torch.inf).flatten(1).sort(dim=1).values
    last = (1.0 - TRIMMED_SHARE) * (mask.flatten(1).sum(dim=1, keepdim=True) - 1)
    limit = ordered.gather(1, last.clamp(min=0).long())
    return clip_mean(residuals, mask & (residuals <= limit.view(-1, 1, 1, 1)))


def clip_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of `values` (B, ...) where `mask` is true for each clip, (B,)."""
    total = torch.where(mask, values, 0.0).flatten(1).sum(dim=1)
    return total / mask.flatten(1).sum(dim=1).clamp(min=1)


def _normalise_both(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Normalise prediction and target over the known pixels of the target; it keeps its NaN."""
    mask = target.isfinite()
    prediction, normalised = (_normalise(x, mask) for x in (prediction, target.nan_to_num()))
    return prediction, normalised.masked_fill(~mask, torch.nan)


def _normalise(inverse_depth: Tensor, mask: Tensor) -> Tensor:
    """Shift by the median, divide by the mean absolute deviation; 0 where the mask is false."""
    known = inverse_depth.masked_fill(~mask, torch.nan).flatten(1)
    median = known.nanmedian(dim=1).values.nan_to_num().view(-1, 1, 1, 1)
    centred = torch.where(mask, inverse_depth - median, 0.0)
    deviation = clip_mean(centred.abs(), mask).clamp(min=1e-6)
    return centred / deviation.view(-1, 1, 1, 1)
