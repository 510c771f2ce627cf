"""The version, weights and settings that produced a depth recording, for its metadata."""

from __future__ import annotations

from dataclasses import asdict

from flashdepth_ros import __version__
from flashdepth_ros.runtime import DepthEstimator
from flashdepth_ros.runtime.setting_description import ros_name
from flashdepth_ros.runtime.settings import Settings, weights_path
from flashdepth_ros.runtime.weights import file_sha256


def provenance(settings: Settings, estimator: DepthEstimator) -> dict[str, str]:
    """
    Return what is needed to repeat a run: version, weights, and every setting as resolved.

    The entries contain no paths and no times, so that the same run gives the same entries.
    """
    weights = weights_path(settings)
    resolved = {
        'weights': weights.name,
        'weights_sha256': file_sha256(weights),
        'device': str(estimator.engine.device),
        'precision': estimator.engine.precision,
        'engine': estimator.engine.name,
    }
    chosen = {ros_name(name): str(value) for name, value in asdict(settings).items()}
    return {'flashdepth_ros': __version__, **chosen, **resolved}
