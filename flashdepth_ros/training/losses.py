"""
What training minimises: how far inverse depth is from the truth, and from its edges and motion.

Arguments are inverse depth (B, T, H, W), float32, 1/m: 0 is infinitely far, and counts; NaN in
the truth is unknown, and does not. Every term returns one number a clip, (B,), the mean over what
counts in that clip and 0 where nothing does: so the loss of a batch is the mean over its clips,
however the batch is spread over processes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

SCALES = 4
"""Resolutions at which gradients are matched, each half the one before."""

TRIMMED = 0.2
"""Share of the largest residuals that the scale- and shift-invariant loss leaves out."""

STILL = 0.05
"""A pixel is still from one frame to the next if it moves less than this share of the range."""


@dataclass(frozen=True)
class LossConfig:
    """The weight of each term; a term of weight 0 is not computed."""

    l1: float = 0.0
    """The FlashDepth paper's: L1 on 100 / metres. Near pixels dominate."""
    log_l1: float = 1.0
    """L1 on ln(1 + far_m * inverse depth): near pixels count by relative error, as far ones do."""
    shape: float = 0.0
    """As `log_l1`, of surfaces, less the mean error of the frame: its scale costs nothing."""
    gradient: float = 0.0
    """Gradients at several scales, in the space of `log_l1`: sharp boundaries."""
    temporal_gradient: float = 0.0
    """Change from frame to frame where the truth is still, in the space of `log_l1`."""
    drift: float = 0.0
    """How the best scale of a frame wanders within a clip: what `metrics.scale_drift` measures."""
    scale_shift_invariant: float = 0.0
    """The Video Depth Anything paper's, with its own gradient term."""
    far_m: float = 30.0
    """Depth beyond which relative errors matter less and less, m."""


def training_loss(prediction: Tensor, truth: Tensor, config: LossConfig) -> dict[str, Tensor]:
    """Return the mean over clips of each term in use, and their weighted sum as 'loss'."""
    near, near_truth = (compressed(inverse, config.far_m) for inverse in (prediction, truth))
    terms: dict[str, Callable[[], Tensor]] = {
        'l1': lambda: 100.0 * l1(prediction, truth),
        'log_l1': lambda: l1(near, near_truth),
        'shape': lambda: shape(near, near_truth),
        'gradient': lambda: gradient_matching(near, near_truth),
        'temporal_gradient': lambda: temporal_gradient_matching(near, near_truth),
        'drift': lambda: drift(prediction, truth),
        'scale_shift_invariant': lambda: scale_shift_invariant(prediction, truth),
    }
    used = {name: term().mean() for name, term in terms.items() if getattr(config, name)}
    total = sum(
        (getattr(config, name) * value for name, value in used.items()), torch.zeros(()).to(near)
    )
    return {'loss': total, **used}


def compressed(inverse_depth: Tensor, far_m: float) -> Tensor:
    """
    Return ln(1 + far_m * inverse depth): 0 for the sky, slope `far_m` there, logarithmic near by.

    At depth z the relative error of z weighs far_m / (far_m + z): 1 near by, a half at `far_m`.
    """
    return torch.log1p(far_m * inverse_depth)


def l1(prediction: Tensor, truth: Tensor) -> Tensor:
    """Return the mean absolute difference, in the space that is passed."""
    mask = truth.isfinite()
    return clip_mean((prediction - truth.nan_to_num()).abs(), mask)


def shape(prediction: Tensor, truth: Tensor) -> Tensor:
    """Return the mean absolute difference of surfaces, once each frame's mean is taken off."""
    surface = truth > 0
    difference = torch.where(surface, prediction - truth, 0.0)
    means = clip_mean(difference.flatten(0, 1), surface.flatten(0, 1))
    return clip_mean((difference - means.view(len(truth), -1, 1, 1)).abs(), surface)


def gradient_matching(prediction: Tensor, truth: Tensor, scales: int = SCALES) -> Tensor:
    """Return the mean slope of the difference, over `scales` resolutions (MegaDepth, MiDaS)."""
    mask = truth.isfinite()
    difference = torch.where(mask, prediction - truth.nan_to_num(), 0.0)
    total = torch.zeros(len(truth), dtype=prediction.dtype, device=prediction.device)
    for scale in range(scales):
        step = 2**scale
        coarse, known = difference[..., ::step, ::step], mask[..., ::step, ::step]
        total = total + clip_mean(coarse.diff(dim=-1).abs(), known[..., 1:] & known[..., :-1])
        total = total + clip_mean(
            coarse.diff(dim=-2).abs(), known[..., 1:, :] & known[..., :-1, :]
        )
    return total / scales


def temporal_gradient_matching(prediction: Tensor, truth: Tensor) -> Tensor:
    """
    Return how differently prediction and truth change where the truth is still, 0 for one frame.

    | |d' - d| - |g' - g| | where |g' - g| < 5 % of the clip's range (arXiv 2501.12375).
    """
    mask = truth.isfinite()
    known = truth.nan_to_num()
    highest = known.masked_fill(~mask, -torch.inf).flatten(1).amax(dim=1)
    lowest = known.masked_fill(~mask, torch.inf).flatten(1).amin(dim=1)
    change = known.diff(dim=1).abs()
    still = change < STILL * (highest - lowest).view(-1, 1, 1, 1)
    return clip_mean(
        (prediction.diff(dim=1).abs() - change).abs(), still & mask[:, 1:] & mask[:, :-1]
    )


def drift(prediction: Tensor, truth: Tensor) -> Tensor:
    """
    Return how far the logarithm of each frame's best scale is from its mean, 0 for one frame.

    The best scale is that of least squares in inverse depth: a clip that is wrong by one factor
    does not drift. Frames without any surface, in truth or prediction, are left out.
    """
    surface = truth > 0
    said, true = (torch.where(surface, each, 0.0) for each in (prediction, truth))
    common, own = ((said * each).flatten(2).sum(dim=2) for each in (true, said))
    known = common > 0
    scales = torch.where(known, common, 1.0).log() - torch.where(known, own, 1.0).log()
    return clip_mean((scales - clip_mean(scales, known).unsqueeze(1)).abs(), known)


def scale_shift_invariant(prediction: Tensor, truth: Tensor) -> Tensor:
    """
    Return the trimmed error and gradients after each clip is normalised by itself (MiDaS).

    Both are shifted by their median and divided by their mean absolute deviation over the whole
    clip, so any scale > 0 and shift of either changes nothing; the largest 20 % of residuals are
    left out.
    """
    mask = truth.isfinite()
    prediction, normalised = (_normalised(x, mask) for x in (prediction, truth.nan_to_num()))
    truth = normalised.masked_fill(~mask, torch.nan)
    return trimmed_l1(prediction, truth) + gradient_matching(prediction, truth)


def trimmed_l1(prediction: Tensor, truth: Tensor) -> Tensor:
    """Return the mean absolute difference without the largest 20 % of it."""
    mask = truth.isfinite()
    residuals = (prediction - truth.nan_to_num()).abs()
    ordered = residuals.detach().masked_fill(~mask, torch.inf).flatten(1).sort(dim=1).values
    last = (1.0 - TRIMMED) * (mask.flatten(1).sum(dim=1, keepdim=True) - 1)
    limit = ordered.gather(1, last.clamp(min=0).long())
    return clip_mean(residuals, mask & (residuals <= limit.view(-1, 1, 1, 1)))


def clip_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of `values` (B, ...) where `mask` is true for each clip, (B,)."""
    counted = torch.where(mask, values, 0.0).flatten(1).sum(dim=1)
    return counted / mask.flatten(1).sum(dim=1).clamp(min=1)


def _normalised(inverse_depth: Tensor, mask: Tensor) -> Tensor:
    """Shift by the median, divide by the mean absolute deviation; 0 where the mask is false."""
    known = inverse_depth.masked_fill(~mask, torch.nan).flatten(1)
    median = known.nanmedian(dim=1).values.nan_to_num().view(-1, 1, 1, 1)
    centred = torch.where(mask, inverse_depth - median, 0.0)
    deviation = clip_mean(centred.abs(), mask).clamp(min=1e-6)
    return centred / deviation.view(-1, 1, 1, 1)
