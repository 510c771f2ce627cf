"""Laws of the losses."""

import math

import pytest
import torch
from torch import Tensor

from flashdepth_ros import metrics
from flashdepth_ros.training.losses import (
    LossConfig,
    compressed,
    drift,
    gradient_matching,
    l1,
    scale_shift_invariant,
    shape,
    temporal_gradient_matching,
    training_loss,
    trimmed_l1,
)

TERMS = [l1, shape, gradient_matching, temporal_gradient_matching, drift, scale_shift_invariant]
EVERYTHING = LossConfig(**dict.fromkeys(vars(LossConfig()), 1.0))


def scene(seed: int = 0, batch: int = 2) -> tuple[Tensor, Tensor]:
    """Inverse depth said and true, with sky and holes."""
    random = torch.Generator().manual_seed(seed)
    truth = 0.05 + torch.rand(batch, 3, 16, 24, generator=random)
    truth = truth[:, :1] + 0.01 * torch.rand(batch, 3, 16, 24, generator=random)
    truth[:, :, :3] = 0.0
    truth[:, :, 8, 5:9] = torch.nan
    return torch.rand(batch, 3, 16, 24, generator=random), truth


@pytest.mark.parametrize('term', TERMS)
def test_the_truth_costs_nothing(term):
    _, truth = scene()
    torch.testing.assert_close(term(truth.nan_to_num(7.0), truth), torch.zeros(2))


@pytest.mark.parametrize('term', TERMS)
def test_unknown_pixels_do_not_matter(term):
    prediction, truth = scene()
    other = torch.where(truth.isnan(), 50.0, prediction)
    torch.testing.assert_close(term(other, truth), term(prediction, truth))


def test_the_sky_matters():
    prediction, truth = scene()
    other = torch.where(truth == 0, 50.0, prediction)
    assert (l1(other, truth) > l1(prediction, truth)).all()


@pytest.mark.parametrize('term', TERMS)
def test_a_clip_costs_the_same_in_any_batch(term):
    prediction, truth = scene()
    truth[1, :, 5:] = torch.nan
    alone = torch.cat([term(prediction[i : i + 1], truth[i : i + 1]) for i in range(2)])
    torch.testing.assert_close(term(prediction, truth), alone)


def test_gradients_are_finite_where_nothing_is_known():
    prediction, truth = scene()
    truth[0] = torch.nan
    prediction.requires_grad_()
    training_loss(prediction, truth, EVERYTHING)['loss'].backward()
    assert prediction.grad.isfinite().all()
    assert not prediction.grad[0].any()
    assert prediction.grad[1].any()


def test_scale_and_shift_change_nothing_of_the_invariant_loss():
    prediction, truth = scene()
    expected = scale_shift_invariant(prediction, truth)
    torch.testing.assert_close(scale_shift_invariant(3.0 * prediction + 0.4, truth), expected)
    torch.testing.assert_close(scale_shift_invariant(prediction, 0.2 * truth + 1.0), expected)
    assert (expected > 0.1).all()


def test_the_largest_residuals_are_left_out():
    _, truth = scene()
    prediction = truth.nan_to_num() + 0.1
    prediction[:, :, 12:14] += 50.0
    torch.testing.assert_close(trimmed_l1(prediction, truth), torch.full((2,), 0.1))


def test_flat_depth_costs_shape_and_a_wrong_scale_does_not():
    _, truth = scene()
    factors = torch.tensor([1.5, 0.7, 1.1]).log().view(3, 1, 1)  # of each frame
    torch.testing.assert_close(shape(truth + factors, truth), torch.zeros(2))
    torch.testing.assert_close(shape(torch.where(truth == 0, 9.0, truth), truth), torch.zeros(2))
    flat, flatter = (shape(share * truth, truth) for share in (0.8, 0.6))
    assert (flat > 0.01).all()
    torch.testing.assert_close(flatter, 2 * flat)


def test_a_shift_changes_nothing_of_the_gradients():
    prediction, truth = scene()
    torch.testing.assert_close(
        gradient_matching(prediction + 0.3, truth), gradient_matching(prediction, truth)
    )


def test_flicker_costs_and_a_constant_error_does_not():
    _, truth = scene()
    steady = truth.nan_to_num() + 0.3
    torch.testing.assert_close(temporal_gradient_matching(steady, truth), torch.zeros(2))
    flickering = steady.clone()
    flickering[:, 1] += 0.2
    assert (temporal_gradient_matching(flickering, truth) > 0.1).all()


@pytest.mark.parametrize('term', [temporal_gradient_matching, drift])
def test_one_frame_does_not_change(term):
    prediction, truth = scene()
    assert not term(prediction[:, :1], truth[:, :1]).any()


def test_the_scale_of_a_frame_that_differs_is_drift():
    _, true = scene()
    said = 1.2 * true.nan_to_num(5.0)
    torch.testing.assert_close(drift(said, true), torch.zeros(2), atol=1e-6, rtol=0)
    said[:, 1] *= math.exp(0.3)
    # By 0.3 in one of three frames: from their mean, by 0.2, 0.1 and 0.1.
    torch.testing.assert_close(drift(said, true), torch.full((2,), 0.4 / 3))
    for nothing in (torch.nan, 0.0):
        without = true.clone()
        without[:, 1] = nothing
        torch.testing.assert_close(drift(said, without), torch.zeros(2), atol=1e-6, rtol=0)


def test_drift_is_what_the_metric_measures():
    generator = torch.Generator().manual_seed(0)
    _, true = scene()
    said = true.nan_to_num(1.0) * (1 + 0.2 * torch.rand(true.shape, generator=generator))
    scales = [
        torch.from_numpy(metrics.frame_scales(each.numpy(), known.numpy())).log()
        for each, known in zip(said, true, strict=True)
    ]
    expected = torch.stack([(each - each.mean()).abs().mean() for each in scales])
    torch.testing.assert_close(drift(said, true), expected.float())


def test_near_by_the_same_relative_error_costs_the_same():
    depth = torch.tensor([0.5, 1.0, 2.0])
    cost = compressed(1.1 / depth, 1000.0) - compressed(1.0 / depth, 1000.0)
    torch.testing.assert_close(cost, torch.full((3,), 1.1).log(), atol=1e-3, rtol=0)


def test_terms_add_up_by_weight():
    prediction, truth = scene()
    config = LossConfig(l1=0.25, log_l1=2.0, gradient=0.5)
    terms = training_loss(prediction, truth, config)
    assert set(terms) == {'loss', 'l1', 'log_l1', 'gradient'}
    total = 0.25 * terms['l1'] + 2.0 * terms['log_l1'] + 0.5 * terms['gradient']
    torch.testing.assert_close(terms['loss'], total)
    torch.testing.assert_close(terms['l1'], 100.0 * l1(prediction, truth).mean())
