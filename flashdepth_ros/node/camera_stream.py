"""The stream of one camera: its topics and parameters, its counts, its requests for a reset."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from flashdepth_ros.camera.camera_info import is_rectified, rectified_note
from flashdepth_ros.camera.canonical import CanonicalCamera
from flashdepth_ros.errors import InputError
from flashdepth_ros.network.config import ModelConfig
from flashdepth_ros.node.boundary import WARN_EVERY_S
from flashdepth_ros.node.camera_info_subscriber import CameraInfoSubscriber
from flashdepth_ros.node.camera_scope import CameraScope
from flashdepth_ros.node.image_subscriber import ImageSubscriber
from flashdepth_ros.node.parameters import Parameters
from flashdepth_ros.node.publishing import Publishers
from flashdepth_ros.node.received_image import ReceivedImage, ResetRequest
from flashdepth_ros.node.scale_subscriber import ScaleSubscriber
from flashdepth_ros.node.statistics import Statistics
from flashdepth_ros.ros.transport import Transport
from flashdepth_ros.runtime import ResetReason
from flashdepth_ros.runtime.settings import ineffective_settings, missing_metres


class CameraStream:
    """
    Receives the images of one camera and passes them on while the node is active.

    :param process: takes an image without waiting.
    """

    def __init__(
        self,
        scope: CameraScope,
        transport: Transport,
        process: Callable[[CameraStream, ReceivedImage], None],
    ) -> None:
        self.scope, self._process = scope, process
        self.statistics = Statistics()
        self.parameters = Parameters()
        self.enabled = True
        self.reset_request = ResetRequest()
        self.scale = ScaleSubscriber(scope, transport)
        """Gives metres to the frames."""
        self.publishers = Publishers(scope, transport, self.scale)
        self._images = ImageSubscriber(scope, transport, self.statistics)
        self.camera_info = CameraInfoSubscriber(scope, self._images)

    @property
    def image_topic(self) -> str:
        """The resolved name of the topic that is subscribed to; '' before `configure`."""
        return self._images.topic

    def configure(self, parameters: Parameters, model: ModelConfig) -> None:
        """Subscribe to the images that the parameters choose, for a model."""
        self.parameters = parameters
        cache = self.camera_info.cache
        cache.canonical = CanonicalCamera(model.name, model.canonical_focal)
        cache.require_frame_id = parameters.camera_info_require_frame_id
        self._set_rectified(parameters.camera_rectified)
        self.scale.open(parameters)
        for warning in (self._missing_metres(), ineffective_settings(parameters)):
            if warning:
                self.scope.logger.warning(warning)
        self._images.open(parameters.image_transport)

    def change(self, parameters: Parameters) -> None:
        """Use new values of the dynamic parameters from the next image on."""
        self.camera_info.cache.require_frame_id = parameters.camera_info_require_frame_id
        self.parameters = parameters

    def start(self) -> None:
        """Pass images on from now on."""
        self._images.set_consumer(self)

    def stop(self) -> None:
        """Pass no more images on."""
        self._images.set_consumer(None)

    def close(self) -> None:
        """Remove the subscriptions that a model needs."""
        self.scale.close()

    def reset(self, reason: ResetReason) -> None:
        """Start a new sequence with the next image that arrives."""
        self.reset_request = ResetRequest(self.reset_request.number + 1, reason)

    def needs_images(self) -> bool:
        """Return whether an image that arrives now would be processed."""
        return self.enabled and self.publishers.has_subscribers

    def put(self, received: ReceivedImage) -> None:
        """Pass an image on."""
        self._process(self, replace(received, reset_request=self.reset_request))

    def reject(self, error: InputError) -> None:
        """Count an image that cannot be used and log the reason."""
        self.scope.logger.warning(f'image dropped: {error}', throttle_duration_sec=WARN_EVERY_S)
        self.statistics.count_drop('bad', str(error))

    def publisher_restarted(self) -> None:
        """Start a new sequence, because the publisher is a new one, and expect its camera_info."""
        self.camera_info.publisher_restarted()
        self.reset(ResetReason.PUBLISHER_RESTARTED)

    @property
    def warnings(self) -> Iterator[str]:
        """What the outputs lack now."""
        if reason := self._missing_metres():
            yield reason
        yield from self.scale.warnings
        yield from self.camera_info.warnings

    def describe_output(self, metric: bool) -> str:
        """Return what the depth outputs are; `metric`: whether the model's are metres."""
        if self.parameters.depth_output == 'relative':
            return 'relative inverse depth on depth/inverse'
        if self.scale.description:
            return f'depth in metres {self.scale.description}'
        if missing_metres(self.parameters):
            return 'no depth'
        return 'depth in metres' if metric else 'depth in metres by depth.scale'

    def _missing_metres(self) -> str:
        return '' if self.scale.description else missing_metres(self.parameters)

    def _set_rectified(self, setting: str) -> None:
        cache, topic = self.camera_info.cache, self.scope.resolve('image')
        rectified = is_rectified(setting, topic)
        if rectified != cache.rectified:
            cache.rectified = rectified
            cache.restart()
        if note := rectified_note(setting, topic):
            self.scope.logger.info(f'{note} (camera.rectified)')
