"""One line that describes the model that is loaded, and where it runs."""

from __future__ import annotations

from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.runtime import DepthEstimator
from flashdepth_ros.runtime.engines.exported_model import purpose_of


def describe_model(
    parameters: Parameters, estimator: DepthEstimator, image_size: tuple[int, int]
) -> str:
    """
    Return model, purpose of its weights, engine, device, precision, input size and rate.

    :param image_size: height and width of the images of the warm-up.
    """
    engine = estimator.engine
    purpose = _in_brackets(purpose_of(parameters.model, parameters.weights))
    reason = _in_brackets(engine.reason)
    height, width = image_size
    input_height, input_width = estimator.inference_size(height, width)
    rate = f'{estimator.warm_rate_hz:.{0 if estimator.warm_rate_hz >= 10 else 1}f}'
    return (
        f'{parameters.model}{purpose}, {engine.name}{reason} on {engine.device} '
        f'in {engine.precision}, about {rate} images/s of {width}x{height} '
        f'(network input {input_width}x{input_height})'
    )


def _in_brackets(text: str) -> str:
    return f' ({text})' if text else ''
