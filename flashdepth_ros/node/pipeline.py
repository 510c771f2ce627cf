"""The path from received images to the outputs, controlled by the lifecycle of the node."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
import time

from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from flashdepth_ros.errors import FlashDepthError
from flashdepth_ros.node.camera_scope import CameraScope
from flashdepth_ros.node.camera_stream import CameraStream
from flashdepth_ros.node.description import describe_model
from flashdepth_ros.node.diagnostics import NodeStatus
from flashdepth_ros.node.idle_memory import IdleMemory
from flashdepth_ros.node.parameters import CameraParameters, Parameters
from flashdepth_ros.node.received_image import ReceivedImage, WarmUp
from flashdepth_ros.node.supervisor import Estimators, Supervisor
from flashdepth_ros.node.threads import Patience, run_in_thread
from flashdepth_ros.node.worker import Worker
from flashdepth_ros.ros.transport import choose_transport
from flashdepth_ros.runtime import DepthEstimator
from flashdepth_ros.runtime.batch import batch_gain
from flashdepth_ros.runtime.memory import resident_bytes
from flashdepth_ros.runtime.settings import sequence_policy

EstimatorFactory = Callable[[Parameters], DepthEstimator]
_WARM_UP_SIZE = (480, 640)
"""Height and width of the images of the warm-up until a camera_info tells those of a camera."""
_CHECK_PERIOD_S = 1.0
_LONGEST_IMAGE_S = 60.0
"""Deactivation waits for the current image at most this long."""
_CLOSE_S = 0.5
"""The same at the end of the process."""
_MIN_GAIN = 1.1
"""Batches are used if they make a frame faster by at least this factor."""


class Pipeline:
    """
    Owns the streams of the cameras, and their estimators and threads while these exist.

    `configure` loads the estimators and `activate` starts the threads; `deactivate` and `clean_up`
    undo this.

    :param scopes: of the cameras.
    :param load: Create the estimator for the parameters.
    :param ends: Return whether the process is to end: then nothing is waited for any more.
    """

    def __init__(
        self,
        node: Node,
        scopes: Sequence[CameraScope],
        load: EstimatorFactory,
        ends: Callable[[], bool],
    ) -> None:
        self._node, self._load, self._ends = node, load, ends
        self.parameters = Parameters()
        self.configured = False
        """Whether a model is loaded."""
        transport = choose_transport(node.get_logger())
        self.streams = [CameraStream(scope, transport, self._process) for scope in scopes]
        self._supervisor = Supervisor(self._create_worker, self._load_warm, node.get_logger())
        self._batching, self._image_size = False, _WARM_UP_SIZE
        self._warm: dict[CameraStream, tuple[int, int]] = {}
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        node.create_timer(_CHECK_PERIOD_S, self._check, clock=steady)
        self._memory = IdleMemory()

    @property
    def active(self) -> bool:
        """Whether images are processed."""
        return self._supervisor.running

    @property
    def lost_device(self) -> str:
        """Why only another process can use the GPU again; '' if this one can."""
        worker = self._supervisor.worker
        return '' if worker is None else worker.lost_device

    def configure(self, parameters: CameraParameters) -> str:
        """
        Load the model and run it once; return one line that describes what runs where.

        :raises FlashDepthError: the weights or the device cannot be used, or the process is to
            end before the model is loaded.
        """
        self.parameters = parameters.common
        for stream, own in zip(self.streams, parameters.cameras, strict=True):
            stream.parameters = own
        estimators = self._load_or_end()
        for stream, own in zip(self.streams, parameters.cameras, strict=True):
            stream.configure(own, estimators[0].config)
        self._supervisor.estimators, self.configured = estimators, True
        topics = ', '.join(stream.image_topic for stream in self.streams)
        metric = estimators[0].config.metric
        outputs = dict.fromkeys(stream.describe_output(metric) for stream in self.streams)
        model = describe_model(self.parameters, estimators[0], self._image_size)
        return f'{model}, images from {topics}, {" and ".join(outputs)}'

    def activate(self) -> None:
        """Start the inference thread and process images."""
        if not self._supervisor.estimators:
            self._supervisor.estimators = self._load_or_end()
        self._supervisor.start()
        for stream in self.streams:
            stream.start()

    def deactivate(self) -> None:
        """Finish the current image and process no more."""
        for stream in self.streams:
            stream.stop()
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
        for stream in self.streams:
            stream.close()
        self._supervisor.estimators, self.configured = (), False

    def change(self, parameters: CameraParameters) -> None:
        """Use new values of the dynamic parameters from the next image on."""
        for estimator, own in zip(self._supervisor.estimators, parameters.cameras, strict=False):
            estimator.sequence.policy = sequence_policy(own)
        for stream, own in zip(self.streams, parameters.cameras, strict=True):
            stream.change(own)
        self.parameters = parameters.common

    def status(self, stream: CameraStream) -> NodeStatus:
        """Return the state of a camera for diagnostics."""
        return NodeStatus(
            stream.scope.full_name,
            self.active,
            stream.enabled,
            stream.publishers.has_subscribers,
            self._model_values(stream),
            stream.parameters.target_rate,
            self._supervisor.fault,
            tuple(self._warnings(stream)),
        )

    def _process(self, stream: CameraStream, received: ReceivedImage) -> None:
        """Pass an image to the inference thread."""
        if self._supervisor.worker is None:
            stream.statistics.count_drop('replaced')
        else:
            self._supervisor.worker.put(stream, received)

    def _warnings(self, stream: CameraStream) -> Iterator[str]:
        worker = self._supervisor.worker
        if worker is not None:
            yield from worker.processor(stream).warnings
        if self.configured:
            yield from stream.warnings

    def _model_values(self, stream: CameraStream) -> dict[str, str]:
        estimators, worker = self._supervisor.estimators, self._supervisor.worker
        if not estimators:
            return {}
        estimator = estimators[self.streams.index(stream)]
        engine = estimator.engine
        return {
            'model': estimator.config.name,
            'device': str(engine.device),
            'precision': engine.precision,
            'engine': engine.name,
            'temporal': str(estimator.temporal).lower(),
            'output': stream.describe_output(estimator.config.metric),
            **stream.scale.diagnostics,
            'memory_mb': f'{resident_bytes() / 1e6:.0f}',
            'device_memory_mb': f'{engine.device_memory_bytes() / 1e6:.0f}',
            'state_memory_mb': f'{estimator.state_memory_bytes() / 1e6:.1f}',
            'camera_info': stream.camera_info.state,
            **({} if worker is None else worker.processor(stream).resolution.diagnostics),
        }

    def _check(self) -> None:
        """Check the threads and the memory."""
        self._supervisor.check()
        if self._supervisor.worker is not None:
            self._warm_up(self._supervisor.worker)
        for stream in self.streams:
            stream.scale.log()
        if estimators := self._supervisor.estimators:
            last_s = max(stream.statistics.last_processed_s for stream in self.streams)
            self._memory.check(estimators[0].engine.name, last_s, time.monotonic())

    def _warm_up(self, worker: Worker) -> None:
        """Prepare a GPU for the images of cameras whose camera_info comes before any image."""
        for stream, estimator in zip(self.streams, self._supervisor.estimators, strict=False):
            size = stream.camera_info.cache.image_size
            is_gpu = estimator.ahead and estimator.fixed_size is None
            if not is_gpu or size is None or size in (self._image_size, self._warm.get(stream)):
                continue
            self._warm[stream] = size
            if not stream.statistics.last_processed_s:
                worker.warm_up(stream, WarmUp(*size))

    def _load_or_end(self) -> Estimators:
        """Load the model in a thread of its own, so that a signal need not wait for it."""
        loading = run_in_thread('loading', self._load_warm)
        if not Patience(ends=self._ends)(loading.done):
            raise FlashDepthError('interrupted while the model was loaded')
        return loading.result()

    def _load_warm(self) -> Estimators:
        """Return the estimators of all cameras, which share the model."""
        first, *others = self.streams
        own = replace(self.parameters, depth_size=first.parameters.depth_size)
        estimator = self._load(own)
        sizes = (stream.camera_info.cache.image_size for stream in self.streams)
        self._warm.clear()
        self._image_size = next(filter(None, sizes), _WARM_UP_SIZE)
        estimator.warm_up(*self._image_size)
        self._batching = bool(others) and self._batches_pay(estimator)
        return estimator, *(
            estimator.for_another_camera(each.parameters.depth_size) for each in others
        )

    def _batches_pay(self, estimator: DepthEstimator) -> bool:
        """Return whether images that wait are run together, as set or as measured."""
        engine, cameras = estimator.engine, len(self.streams)
        if engine.input_size is not None:  # an exported model, which has a fixed batch
            return False
        if self.parameters.batching != 'auto':
            return self.parameters.batching == 'true'
        if str(engine.device) == 'cpu':
            return False
        gain = batch_gain(engine, cameras, estimator.inference_size(*self._image_size))
        pays = gain >= _MIN_GAIN
        self._node.get_logger().info(
            f'images of {cameras} cameras take {1 / gain:.0%} of the time as a batch: '
            f'{"used for those that wait" if pays else "not used"} (batching)'
        )
        return pays

    def _create_worker(self, estimators: Estimators) -> Worker:
        for stream, estimator in zip(self.streams, estimators, strict=True):
            estimator.sequence.policy = sequence_policy(stream.parameters)
        return Worker(dict(zip(self.streams, estimators, strict=True)), self._batching)
