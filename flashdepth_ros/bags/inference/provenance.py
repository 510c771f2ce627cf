"""How a recording of depth came about, as notes in its metadata."""

from __future__ import annotations

from dataclasses import asdict

from flashdepth_ros import __version__
from flashdepth_ros.runtime import DepthEstimator
from flashdepth_ros.runtime.settings import Settings, ros_name, weights_of
from flashdepth_ros.runtime.weights import digest_of


def provenance(settings: Settings, estimator: DepthEstimator) -> dict[str, str]:
    """
    Return what it takes to repeat a run: version, weights, every setting as it was resolved.

    Only what decides the depth is noted, no path and no time: the same work makes the same notes.
    """
    weights = weights_of(settings)
    resolved = {
        'weights': weights.name,
        'weights_sha256': digest_of(weights),
        'device': str(estimator.engine.device),
        'precision': estimator.engine.precision,
        'engine': estimator.engine.name,
    }
    chosen = {ros_name(name): str(value) for name, value in asdict(settings).items()}
    return {'flashdepth_ros': __version__, **chosen, **resolved}
