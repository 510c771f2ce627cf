"""Properties of the losses."""

import math

import pytest
import torch
from torch import Tensor

from flashdepth_ros import metrics
from flashdepth_ros.training.losses import (
    LossConfig,
    drift,
    gradient_matching,
    l1,
    log_compress,
    scale_shift_invariant,
    shape,
    temporal_gradient_matching,
    training_loss,
    trimmed_l1,
)

TERMS = [l1, shape, gradient_matching, temporal_gradient_matching, drift, scale_shift_invariant]
ALL_TERMS = LossConfig(**dict.fromkeys(vars(LossConfig()), 1.0))


def scene(seed: int = 0, batch: int = 2) -> tuple[Tensor, Tensor]:
    """Return predicted and true inverse depth, with sky and holes."""
    random = torch.Generator().manual_seed(seed)
    target = 0.05 + torch.rand(batch, 3, 16, 24, generator=random)
    target = target[:, :1] + 0.01 * torch.rand(batch, 3, 16, 24, generator=random)
    target[:, :, :3] = 0.0
    target[:, :, 8, 5:9] = torch.nan
    return torch.rand(batch, 3, 16, 24, generator=random), target


@pytest.mark.parametrize('term', TERMS)
def test_the_loss_of_the_target_is_0(term):
    _, target = scene()
    torch.testing.assert_close(term(target.nan_to_num(7.0), target), torch.zeros(2))


@pytest.mark.parametrize('term', TERMS)
def test_unknown_pixels_have_no_effect(term):
    prediction, target = scene()
    other = torch.where(target.isnan(), 50.0, prediction)
    torch.testing.assert_close(term(other, target), term(prediction, target))


def test_the_sky_has_an_effect():
    prediction, target = scene()
    other = torch.where(target == 0, 50.0, prediction)
    assert (l1(other, target) > l1(prediction, target)).all()


@pytest.mark.parametrize('term', TERMS)
def test_the_loss_of_a_clip_does_not_depend_on_the_batch(term):
    prediction, target = scene()
    target[1, :, 5:] = torch.nan
    separate = torch.cat([term(prediction[i : i + 1], target[i : i + 1]) for i in range(2)])
    torch.testing.assert_close(term(prediction, target), separate)


def test_gradients_are_finite_without_known_pixels():
    prediction, target = scene()
    target[0] = torch.nan
    prediction.requires_grad_()
    training_loss(prediction, target, ALL_TERMS)['loss'].backward()
    assert prediction.grad.isfinite().all()
    assert not prediction.grad[0].any()
    assert prediction.grad[1].any()


def test_scale_and_shift_do_not_change_the_invariant_loss():
    prediction, target = scene()
    expected = scale_shift_invariant(prediction, target)
    torch.testing.assert_close(scale_shift_invariant(3.0 * prediction + 0.4, target), expected)
    torch.testing.assert_close(scale_shift_invariant(prediction, 0.2 * target + 1.0), expected)
    assert (expected > 0.1).all()


def test_the_largest_residuals_are_excluded():
    _, target = scene()
    prediction = target.nan_to_num() + 0.1
    prediction[:, :, 12:14] += 50.0
    torch.testing.assert_close(trimmed_l1(prediction, target), torch.full((2,), 0.1))


def test_the_shape_loss_ignores_scale_and_penalises_flat_depth():
    _, target = scene()
    factors = torch.tensor([1.5, 0.7, 1.1]).log().view(3, 1, 1)  # of each frame
    torch.testing.assert_close(shape(target + factors, target), torch.zeros(2))
    torch.testing.assert_close(
        shape(torch.where(target == 0, 9.0, target), target), torch.zeros(2)
    )
    flat, flatter = (shape(share * target, target) for share in (0.8, 0.6))
    assert (flat > 0.01).all()
    torch.testing.assert_close(flatter, 2 * flat)


def test_a_shift_does_not_change_gradient_matching():
    prediction, target = scene()
    torch.testing.assert_close(
        gradient_matching(prediction + 0.3, target), gradient_matching(prediction, target)
    )


def test_the_temporal_loss_ignores_constant_errors_and_penalises_flicker():
    _, target = scene()
    steady = target.nan_to_num() + 0.3
    torch.testing.assert_close(temporal_gradient_matching(steady, target), torch.zeros(2))
    flickering = steady.clone()
    flickering[:, 1] += 0.2
    assert (temporal_gradient_matching(flickering, target) > 0.1).all()


@pytest.mark.parametrize('term', [temporal_gradient_matching, drift])
def test_temporal_losses_of_one_frame_are_0(term):
    prediction, target = scene()
    assert not term(prediction[:, :1], target[:, :1]).any()


def test_drift_is_the_deviation_of_the_scales():
    _, true = scene()
    predicted = 1.2 * true.nan_to_num(5.0)
    torch.testing.assert_close(drift(predicted, true), torch.zeros(2), atol=1e-6, rtol=0)
    predicted[:, 1] *= math.exp(0.3)
    # 0.3 in one of three frames: 0.2, 0.1 and 0.1 from their mean.
    torch.testing.assert_close(drift(predicted, true), torch.full((2,), 0.4 / 3))
    for no_surface in (torch.nan, 0.0):
        without = true.clone()
        without[:, 1] = no_surface
        torch.testing.assert_close(drift(predicted, without), torch.zeros(2), atol=1e-6, rtol=0)


def test_drift_uses_the_scales_of_the_metric():
    generator = torch.Generator().manual_seed(0)
    _, true = scene()
    predicted = true.nan_to_num(1.0) * (1 + 0.2 * torch.rand(true.shape, generator=generator))
    scales = [
        torch.from_numpy(metrics.frame_scales(each.numpy(), known.numpy())).log()
        for each, known in zip(predicted, true, strict=True)
    ]
    expected = torch.stack([(each - each.mean()).abs().mean() for each in scales])
    torch.testing.assert_close(drift(predicted, true), expected.float())


def test_near_depths_weigh_by_their_relative_error():
    depth = torch.tensor([0.5, 1.0, 2.0])
    difference = log_compress(1.1 / depth, 1000.0) - log_compress(1.0 / depth, 1000.0)
    torch.testing.assert_close(difference, torch.full((3,), 1.1).log(), atol=1e-3, rtol=0)


def test_the_loss_is_the_weighted_sum_of_its_terms():
    prediction, target = scene()
    config = LossConfig(l1=0.25, log_l1=2.0, gradient=0.5)
    terms = training_loss(prediction, target, config)
    assert set(terms) == {'loss', 'l1', 'log_l1', 'gradient'}
    total = 0.25 * terms['l1'] + 2.0 * terms['log_l1'] + 0.5 * terms['gradient']
    torch.testing.assert_close(terms['loss'], total)
    torch.testing.assert_close(terms['l1'], 100.0 * l1(prediction, target).mean())
