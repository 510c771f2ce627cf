"""The path from a received image to the outputs, controlled by the lifecycle of the node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo

from flashdepth_ros.camera.calibration import CameraInfoCache
from flashdepth_ros.errors import InputError
from flashdepth_ros.node.diagnostics import NodeStatus
from flashdepth_ros.node.image_subscriber import ImageSubscriber
from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.node.publishing import Publishers
from flashdepth_ros.node.statistics import Statistics
from flashdepth_ros.node.worker import ReceivedImage, ResetRequest, Worker
from flashdepth_ros.ros.transport import choose_transport
from flashdepth_ros.ros.wiring import Input, create_input, info_qos
from flashdepth_ros.runtime import DepthEstimator, ResetReason
from flashdepth_ros.runtime.memory import resident_bytes
from flashdepth_ros.runtime.settings import sequence_policy

EstimatorFactory = Callable[[Parameters], DepthEstimator]
_WARM_UP_SIZE = (480, 640)


class Pipeline:
    """
    Owns the subscriptions and publishers, and the estimator and its thread while they exist.

    `configure` loads the estimator and `activate` starts the thread; `deactivate` and `clean_up`
    undo this.

    :param load: Create the estimator for the parameters.
    """

    def __init__(self, node: Node, load: EstimatorFactory) -> None:
        self._node, self._load = node, load
        self.statistics = Statistics()
        self.parameters = Parameters()
        self.enabled = True
        self._estimator: DepthEstimator | None = None
        self._worker: Worker | None = None
        self._reset_request = ResetRequest()
        transport = choose_transport(node.get_logger())
        self._camera_info = CameraInfoCache(node.get_logger().warning)
        create_input(node, Input(CameraInfo, 'camera_info', info_qos()), self._camera_info.receive)
        self._publishers = Publishers(node, transport)
        self._subscriber = ImageSubscriber(node, transport, self.statistics)

    @property
    def configured(self) -> bool:
        """Whether a model is loaded."""
        return self._estimator is not None

    @property
    def active(self) -> bool:
        """Whether images are processed."""
        return self._worker is not None

    def configure(self, parameters: Parameters) -> str:
        """
        Load the model and run it once; return one line that describes what runs where.

        :raises FlashDepthError: the weights or the device cannot be used.
        """
        estimator = self._load(parameters)
        estimator.warm_up(*_WARM_UP_SIZE)
        self.parameters, self._estimator = parameters, estimator
        self._subscriber.open(parameters.image_transport == 'compressed')
        return f'{_describe(parameters, estimator)}, images from {self._subscriber.topic}'

    def activate(self) -> None:
        """Start the inference thread and process images; the first one starts a sequence."""
        assert self._estimator is not None
        self._estimator.reset(ResetReason.FIRST_FRAME)
        self._worker = Worker(
            self._node, self._estimator, self._camera_info, self._publishers, self.statistics
        )
        self._worker.parameters = self.parameters
        self._worker.reset_request = self._reset_request
        self._worker.start()
        self._subscriber.set_consumer(self)

    def deactivate(self) -> None:
        """Finish the current image and process no more."""
        self._subscriber.set_consumer(None)
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    def clean_up(self) -> None:
        """Release the model."""
        self._estimator = None

    def change(self, parameters: Parameters) -> None:
        """Use new values of the dynamic parameters from the next image on."""
        self.parameters = parameters
        if self._estimator is not None:
            self._estimator.sequence.policy = sequence_policy(parameters)
        if self._worker is not None:
            self._worker.parameters = parameters

    def reset(self, reason: ResetReason) -> None:
        """Start a new sequence with the next image that arrives."""
        self._reset_request = ResetRequest(self._reset_request.number + 1, reason)

    def needs_images(self) -> bool:
        """Return whether an image that arrives now would be processed."""
        return self.enabled and self._publishers.has_subscribers

    def put(self, received: ReceivedImage) -> None:
        """Pass an image to the inference thread."""
        if self._worker is not None:
            self._worker.put(replace(received, reset_request=self._reset_request))

    def reject(self, error: InputError) -> None:
        """Count an image that cannot be read."""
        if self._worker is not None:
            self._worker.reject(error)

    def publisher_restarted(self) -> None:
        """Start a new sequence, because the publisher is a new one."""
        self.reset(ResetReason.PUBLISHER_RESTARTED)

    def status(self) -> NodeStatus:
        """Return the state of the node for diagnostics."""
        return NodeStatus(
            self._node.get_name(),
            self.active,
            self.enabled,
            self._publishers.has_subscribers,
            self._model_values(),
            self.parameters.target_rate,
        )

    def _model_values(self) -> dict[str, str]:
        if self._estimator is None:
            return {}
        engine = self._estimator.engine
        return {
            'model': self._estimator.config.name,
            'device': str(engine.device),
            'precision': engine.precision,
            'engine': engine.name,
            'temporal': str(self._estimator.temporal).lower(),
            'memory_mb': f'{resident_bytes() / 1e6:.0f}',
            'device_memory_mb': f'{engine.device_memory_bytes() / 1e6:.0f}',
            **({} if self._worker is None else self._worker.resolution.diagnostics),
        }


def _describe(parameters: Parameters, estimator: DepthEstimator) -> str:
    """Return the model, the purpose of its weights, the engine, the device and the precision."""
    engine = estimator.engine
    # `purpose` describes the weights of the preset, not those of another file.
    purpose = '' if parameters.weights else _in_brackets(estimator.config.purpose)
    reason = _in_brackets(engine.reason)
    return (
        f'{parameters.model}{purpose}, {engine.name}{reason} on {engine.device} '
        f'in {engine.precision}'
    )


def _in_brackets(text: str) -> str:
    return f' ({text})' if text else ''
