"""The path from a received image to the outputs, controlled by the lifecycle of the node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
import time

from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from flashdepth_ros.camera.camera_info import is_rectified
from flashdepth_ros.camera.canonical import CanonicalCamera
from flashdepth_ros.errors import FlashDepthError, InputError
from flashdepth_ros.node.camera_info_subscriber import CameraInfoSubscriber
from flashdepth_ros.node.diagnostics import NodeStatus
from flashdepth_ros.node.idle_memory import IdleMemory
from flashdepth_ros.node.image_subscriber import ImageSubscriber
from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.node.publishing import Publishers
from flashdepth_ros.node.statistics import Statistics
from flashdepth_ros.node.supervisor import Supervisor
from flashdepth_ros.node.threads import Patience, run_in_thread
from flashdepth_ros.node.worker import ReceivedImage, ResetRequest, Worker
from flashdepth_ros.ros.transport import choose_transport
from flashdepth_ros.runtime import DepthEstimator, ResetReason
from flashdepth_ros.runtime.memory import resident_bytes
from flashdepth_ros.runtime.settings import ineffective_settings, missing_metres, sequence_policy

EstimatorFactory = Callable[[Parameters], DepthEstimator]
_WARM_UP_SIZE = (480, 640)
_CHECK_PERIOD_S = 1.0
_LONGEST_IMAGE_S = 60.0
"""Deactivation waits for the current image at most this long."""
_CLOSE_S = 0.5
"""The same at the end of the process."""


class Pipeline:
    """
    Owns the subscriptions and publishers, and the estimator and its threads while they exist.

    `configure` loads the estimator and `activate` starts the threads; `deactivate` and `clean_up`
    undo this.

    :param load: Create the estimator for the parameters.
    :param ends: Return whether the process is to end: then nothing is waited for any more.
    """

    def __init__(self, node: Node, load: EstimatorFactory, ends: Callable[[], bool]) -> None:
        self._node, self._load, self._ends = node, load, ends
        self.statistics = Statistics()
        self.parameters = Parameters()
        self.enabled = True
        self.configured = False
        """Whether a model is loaded."""
        self._reset_request = ResetRequest()
        transport = choose_transport(node.get_logger())
        self._publishers = Publishers(node, transport)
        self._subscriber = ImageSubscriber(node, transport, self.statistics)
        self._camera_info = CameraInfoSubscriber(node, self._subscriber)
        self._supervisor = Supervisor(self._create_worker, self._load_warm, node.get_logger())
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        node.create_timer(_CHECK_PERIOD_S, self._check, clock=steady)
        self._memory = IdleMemory()

    @property
    def active(self) -> bool:
        """Whether images are processed."""
        return self._supervisor.running

    def configure(self, parameters: Parameters) -> str:
        """
        Load the model and run it once; return one line that describes what runs where.

        :raises FlashDepthError: the weights or the device cannot be used, or the process is to
            end before the model is loaded.
        """
        self.parameters = parameters
        estimator = self._load_or_end()
        config, cache = estimator.config, self._camera_info.cache
        cache.canonical = CanonicalCamera(config.name, config.canonical_focal)
        cache.require_frame_id = parameters.camera_info_require_frame_id
        self._set_rectified(parameters.camera_rectified)
        if reason := missing_metres(parameters):
            self._node.get_logger().warning(reason)
        if warning := ineffective_settings(parameters):
            self._node.get_logger().warning(warning)
        self._subscriber.open(parameters.image_transport == 'compressed')
        self._supervisor.estimator, self.configured = estimator, True
        source, output = self._subscriber.topic, _describe_output(parameters, estimator)
        return f'{_describe(parameters, estimator)}, images from {source}, {output}'

    def _set_rectified(self, setting: str) -> None:
        cache, topic = self._camera_info.cache, self._node.resolve_topic_name('image')
        rectified = is_rectified(setting, topic)
        if rectified != cache.rectified:
            cache.rectified = rectified
            cache.restart()
        if rectified and setting == 'auto':
            self._node.get_logger().info(
                f'{topic} is rectified, by its name: P of camera_info is used, without distortion '
                '(camera.rectified)'
            )

    def activate(self) -> None:
        """Start the inference thread and process images; the first one starts a sequence."""
        if self._supervisor.estimator is None:
            self._supervisor.estimator = self._load_or_end()
        self._supervisor.start()
        self._subscriber.set_consumer(self)

    def deactivate(self) -> None:
        """Finish the current image and process no more."""
        self._subscriber.set_consumer(None)
        ended = self._supervisor.stop(Patience(_LONGEST_IMAGE_S, self._ends, _CLOSE_S))
        if not ended and not self._ends():
            self._node.get_logger().error(
                f'the inference thread has not finished its image after {_LONGEST_IMAGE_S:g} s; a '
                'call cannot be ended from outside: it is left behind, and the next activation '
                'loads the model again'
            )

    def clean_up(self) -> None:
        """Release the model."""
        self.deactivate()
        self._supervisor.estimator, self.configured = None, False

    def change(self, parameters: Parameters) -> None:
        """Use new values of the dynamic parameters from the next image on."""
        self._camera_info.cache.require_frame_id = parameters.camera_info_require_frame_id
        if self._supervisor.estimator is not None:
            self._supervisor.estimator.sequence.policy = sequence_policy(parameters)
        self.parameters = parameters
        if self._supervisor.worker is not None:
            self._supervisor.worker.parameters = parameters

    def reset(self, reason: ResetReason) -> None:
        """Start a new sequence with the next image that arrives."""
        self._reset_request = ResetRequest(self._reset_request.number + 1, reason)

    def needs_images(self) -> bool:
        """Return whether an image that arrives now would be processed."""
        return self.enabled and self._publishers.has_subscribers

    def put(self, received: ReceivedImage) -> None:
        """Pass an image to the inference thread."""
        if self._supervisor.worker is None:
            self.statistics.count_drop('replaced')
        else:
            received = replace(received, reset_request=self._reset_request)
            self._supervisor.worker.put(received)

    def reject(self, error: InputError) -> None:
        """Count an image that cannot be read."""
        if self._supervisor.worker is None:
            self.statistics.count_drop('bad', str(error))
        else:
            self._supervisor.worker.reject(error)

    def publisher_restarted(self) -> None:
        """Start a new sequence, because the publisher is a new one."""
        self.reset(ResetReason.PUBLISHER_RESTARTED)

    def status(self) -> NodeStatus:
        """Return the state of the node for diagnostics."""
        return NodeStatus(
            self._node.get_fully_qualified_name(),
            self.active,
            self.enabled,
            self._publishers.has_subscribers,
            self._model_values(),
            self.parameters.target_rate,
            self._supervisor.fault,
            tuple(self._warnings()),
        )

    def _warnings(self) -> Iterator[str]:
        if self._supervisor.worker is not None and self._supervisor.worker.advice:
            yield self._supervisor.worker.advice
        if self.configured and (reason := missing_metres(self.parameters)):
            yield reason
        yield from self._camera_info.warnings

    def _model_values(self) -> dict[str, str]:
        estimator, worker = self._supervisor.estimator, self._supervisor.worker
        if estimator is None:
            return {}
        engine = estimator.engine
        return {
            'model': estimator.config.name,
            'device': str(engine.device),
            'precision': engine.precision,
            'engine': engine.name,
            'temporal': str(estimator.temporal).lower(),
            'output': _describe_output(self.parameters, estimator),
            'memory_mb': f'{resident_bytes() / 1e6:.0f}',
            'device_memory_mb': f'{engine.device_memory_bytes() / 1e6:.0f}',
            'state_memory_mb': f'{estimator.state_memory_bytes() / 1e6:.1f}',
            'camera_info': self._camera_info.state,
            **({} if worker is None else worker.resolution.diagnostics),
        }

    def _check(self) -> None:
        """Check the threads and the memory."""
        self._supervisor.check()
        if (estimator := self._supervisor.estimator) is not None:
            last_s = self.statistics.last_processed_s
            self._memory.check(estimator.engine.name, last_s, time.monotonic())

    def _load_or_end(self) -> DepthEstimator:
        """Load the model in a thread of its own, so that a signal need not wait for it."""
        loading = run_in_thread('loading', self._load_warm)
        if not Patience(ends=self._ends)(loading.done):
            raise FlashDepthError('interrupted while the model was loaded')
        return loading.result()

    def _load_warm(self) -> DepthEstimator:
        estimator = self._load(self.parameters)
        estimator.warm_up(*_WARM_UP_SIZE)
        return estimator

    def _create_worker(self, estimator: DepthEstimator) -> Worker:
        estimator.sequence.policy = sequence_policy(self.parameters)
        worker = Worker(
            self._node, estimator, self._camera_info.cache, self._publishers, self.statistics
        )
        worker.parameters, worker.reset_request = self.parameters, self._reset_request
        return worker


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


def _describe_output(parameters: Parameters, estimator: DepthEstimator) -> str:
    if parameters.depth_output == 'relative':
        return 'relative inverse depth on depth/inverse'
    if missing_metres(parameters):
        return 'no depth'
    return 'depth in metres' if estimator.config.metric else 'depth in metres by depth.scale'


def _in_brackets(text: str) -> str:
    return f' ({text})' if text else ''
