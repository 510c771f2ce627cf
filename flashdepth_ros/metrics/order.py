"""Order of depth: whether the nearer one of two points is predicted nearer."""

from __future__ import annotations

import numpy as np

from flashdepth_ros.metrics.pixels import Array, Mask, check_same_shape, is_known, mean

#: Number of random pairs; those of nearly equal true depth are not compared.
_PAIRS = 20_000
_SEED = 0


def order_accuracy(
    prediction: Array, truth: Array, mask: Mask | None = None, ratio: float = 1.1
) -> float:
    """
    Return the share of pixel pairs, 0 to 1, that the prediction puts in the true order.

    20,000 random pairs are drawn, always the same ones for the same pixels. Those whose true
    values differ by more than a factor of `ratio` are compared. Two equal predictions count one
    half, so that a constant prediction scores 0.5, like chance. An increasing function of the
    prediction does not change the score, so it needs no alignment.

    :param prediction: any shape, finite where it is compared; it may be <= 0.
    :param truth: both are depth, or both are inverse depth.
    :returns: the share, or NaN if no pair differs.
    :raises InputError: the shapes differ.
    """
    check_same_shape(prediction, truth, mask)
    used = np.isfinite(prediction) & is_known(truth) & (True if mask is None else mask)
    p, t = (np.asarray(a[used], np.float64) for a in (prediction, truth))
    if not p.size:
        return np.nan
    first, second = np.random.default_rng(_SEED).integers(0, p.size, (2, _PAIRS))
    true_ratio = t[first] / t[second]
    differ = np.maximum(true_ratio, 1 / true_ratio) > ratio
    predicted = np.sign(p[first] - p[second])[differ]
    return mean((1 + predicted * np.sign(true_ratio - 1)[differ]) / 2)
