"""From an image that arrived to what is published of it, as far as the node's life allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo

from flashdepth_ros.camera.calibration import Cameras
from flashdepth_ros.errors import InputError
from flashdepth_ros.node.diagnostics import Situation
from flashdepth_ros.node.intake import Intake
from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.node.publishing import Publishers
from flashdepth_ros.node.statistics import Statistics
from flashdepth_ros.node.worker import Received, Restart, Worker
from flashdepth_ros.ros.transport import choose_transport
from flashdepth_ros.ros.wiring import Input, create_input, info_qos
from flashdepth_ros.runtime import DepthEstimator, ResetReason
from flashdepth_ros.runtime.memory import resident_bytes
from flashdepth_ros.runtime.settings import policy_of

Load = Callable[[Parameters], DepthEstimator]
_WARM_UP_SIZE = (480, 640)


class Pipeline:
    """
    Subscriptions and publishers that stay, and the estimator and its thread, which come and go.

    Empty, then `configure`d with a model, then `activate`d with a thread, and back.

    :param load: makes the estimator that the parameters name.
    """

    def __init__(self, node: Node, load: Load) -> None:
        self._node, self._load = node, load
        self.statistics = Statistics()
        self.parameters = Parameters()
        self.enabled = True
        self._estimator: DepthEstimator | None = None
        self._worker: Worker | None = None
        self._restart = Restart()
        transport = choose_transport(node.get_logger())
        self._cameras = Cameras(node.get_logger().warning)
        create_input(node, Input(CameraInfo, 'camera_info', info_qos()), self._cameras.receive)
        self._publishers = Publishers(node, transport)
        self._intake = Intake(node, transport, self.statistics)

    @property
    def configured(self) -> bool:
        """Whether a model is loaded."""
        return self._estimator is not None

    @property
    def active(self) -> bool:
        """Whether images are taken."""
        return self._worker is not None

    def configure(self, parameters: Parameters) -> str:
        """
        Load the model and run it once; return one line that says what runs where.

        :raises FlashDepthError: the parameters name what is not there.
        """
        estimator = self._load(parameters)
        estimator.warm_up(*_WARM_UP_SIZE)
        self.parameters, self._estimator = parameters, estimator
        self._intake.open(parameters.image_transport == 'compressed')
        engine = estimator.engine
        why = f' ({engine.why})' if engine.why else ''
        return (
            f'{parameters.model}, {engine.name}{why} on {engine.device} in {engine.precision}, '
            f'images from {self._intake.topic}'
        )

    def activate(self) -> None:
        """Start the inference thread and take images; the first one starts a sequence."""
        assert self._estimator is not None
        self._estimator.reset(ResetReason.FIRST_FRAME)
        self._worker = Worker(
            self._node, self._estimator, self._cameras, self._publishers, self.statistics
        )
        self._worker.parameters, self._worker.restart = self.parameters, self._restart
        self._worker.start()
        self._intake.serve(self)

    def deactivate(self) -> None:
        """Finish the image at hand and take no more."""
        self._intake.serve(None)
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    def clean_up(self) -> None:
        """Give the model back."""
        self._estimator = None

    def change(self, parameters: Parameters) -> None:
        """Go on with other values of the dynamic parameters, from the next image on."""
        self.parameters = parameters
        if self._estimator is not None:
            self._estimator.sequence.policy = policy_of(parameters)
        if self._worker is not None:
            self._worker.parameters = parameters

    def reset(self, reason: ResetReason) -> None:
        """Let the next image that arrives start a new sequence."""
        self._restart = Restart(self._restart.number + 1, reason)

    def wants(self) -> bool:
        """Tell whether an image that arrives now is of use."""
        return self.enabled and self._publishers.wanted

    def put(self, received: Received) -> None:
        """Hand an image to the inference thread."""
        if self._worker is not None:
            self._worker.put(replace(received, restart=self._restart))

    def reject(self, error: InputError) -> None:
        """Count an image that cannot be read."""
        if self._worker is not None:
            self._worker.reject(error)

    def restart(self) -> None:
        """Let a new sequence start: the publisher is a new one."""
        self.reset(ResetReason.PUBLISHER_RESTARTED)

    def situation(self) -> Situation:
        """Return what diagnostics tell beside the statistics."""
        return Situation(
            self._node.get_name(),
            self.active,
            self.enabled,
            self.wants(),
            self._facts(),
            self.parameters.target_rate,
        )

    def _facts(self) -> dict[str, str]:
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
            **({} if self._worker is None else self._worker.resolution.facts),
        }
