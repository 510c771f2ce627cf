"""
The ROS 2 node: subscribes to images; publishes depth, camera_info, cloud and preview.

It is a managed (lifecycle) node that configures and activates itself unless `autostart` is false.
doc/topics.md lists its topics, services and reset reasons, doc/parameters.md its parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
import sys
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.parameter import Parameter
from rclpy.timer import Timer
from std_srvs.srv import SetBool, Trigger

from flashdepth_ros.entry_point import describe
from flashdepth_ros.errors import ConfigError
from flashdepth_ros.node import parameters as parameter_list
from flashdepth_ros.node.camera_stream import CameraStream
from flashdepth_ros.node.diagnostics import diagnostics_message
from flashdepth_ros.node.input_topics import compressed_topic, raw_topic
from flashdepth_ros.node.managed_node import SUCCESS, ManagedNode
from flashdepth_ros.node.parameters import common_names
from flashdepth_ros.node.pipeline import EstimatorFactory, Pipeline
from flashdepth_ros.ros.overrides import (
    check_qos_overrides,
    describe_ineffective,
    describe_unknown,
)
from flashdepth_ros.ros.reliability import reliability_parameter
from flashdepth_ros.runtime import ResetReason
from flashdepth_ros.runtime.settings import create_estimator

# Smaller forward steps are the normal ticks of /clock.
_MIN_JUMP = Duration(nanoseconds=10_000_000)


class DepthNode(ManagedNode):
    """
    Connects the pipeline to lifecycle, parameters, services and diagnostics.

    :param load: Create the estimator for the parameters.
    :param ends: Return whether the process is to end: then nothing is waited for any more.
    """

    def __init__(
        self, load: EstimatorFactory = create_estimator, ends: Callable[[], bool] = lambda: False
    ) -> None:
        super().__init__('flashdepth')
        self.finished = False
        """Whether a lifecycle shutdown transition was made; the process then ends."""
        self._scopes = parameter_list.declare(self)
        self._image_topics = [
            choose(scope).name
            for scope in self._scopes
            for choose in (raw_topic, compressed_topic)
        ]
        check_qos_overrides(self, map(reliability_parameter, self._image_topics))
        self.pipeline = Pipeline(self, self._scopes, load, ends)
        guard = self.boundary.guard
        self.add_on_set_parameters_callback(
            guard('parameters not set', self._set_parameters, _refused)
        )
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._diagnostics_timer: Timer | None = None
        self._create_services('~/', self.pipeline.streams)
        for stream in self.pipeline.streams if self._scopes[0].camera else ():
            self._create_services(stream.scope.topic('~/'), [stream])
        self._clock_jumps = self.get_clock().create_jump_callback(
            JumpThreshold(
                min_forward=_MIN_JUMP,
                min_backward=Duration(nanoseconds=-1),
                on_clock_change=False,
            ),
            post_callback=guard('clock jump ignored', self._on_clock_jump, lambda *_: None),
        )

    def warn_ineffective(self, arguments: Sequence[str]) -> None:
        """Warn of what is set on the command line or in files, but has no effect."""

        def warn() -> None:
            scales = (stream.scale.topics for stream in self.pipeline.streams)
            later = [*self._image_topics, *chain.from_iterable(scales)]
            common = common_names(self._scopes)
            for warning in describe_ineffective(self, later, arguments, common):
                self.get_logger().warning(warning)

        self.boundary.guard('arguments not checked', warn, lambda _: None)()

    def set_parameters_atomically(self, parameter_list: list[Parameter]) -> SetParametersResult:
        """Refuse parameters that do not exist with a reason; rclpy's reason has no name in it."""
        unknown = [each.name for each in parameter_list if not self.has_parameter(each.name)]
        if not unknown:
            return super().set_parameters_atomically(parameter_list)
        reasons = describe_unknown(self, unknown, (), common_names(self._scopes))
        return SetParametersResult(successful=False, reason=f'not set: {"; ".join(reasons)}')

    def start(self) -> bool:
        """Configure and activate if `autostart` is set; return False if a transition fails."""
        if not self.get_parameter('autostart').value:
            return True
        return self.trigger_configure() == SUCCESS and self.trigger_activate() == SUCCESS

    def configure(self) -> None:
        """Load the model and run it once, so that the first image is not slow."""
        parameters = parameter_list.read(self, self._scopes)
        running = self.pipeline.configure(parameters)
        # A steady clock: diagnostics must go on when simulated time stands still.
        self._diagnostics_timer = self.create_timer(
            parameters.common.diagnostics_period,
            self._publish_diagnostics,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        self.get_logger().info(f'configured: {running}')

    def activate(self) -> None:
        """Start to process images."""
        self.pipeline.activate()

    def deactivate(self) -> None:
        """Finish the current image and process no more."""
        self.pipeline.deactivate()

    def clean_up(self) -> None:
        """Release the model."""
        self.pipeline.clean_up()
        if self._diagnostics_timer is not None:
            self.destroy_timer(self._diagnostics_timer)
            self._diagnostics_timer = None

    def shut_down(self) -> None:
        """Release the model and end the process."""
        self.finished = True
        self.clean_up()

    def refusal_advice(self) -> str:
        """Return what to do about transitions that are not legal."""
        if not self.get_parameter('autostart').value:
            return ''
        return '; it configures and activates itself: set autostart to false to do it from outside'

    def close(self) -> None:
        """End the threads in any state of the node."""
        self.pipeline.deactivate()
        self._clock_jumps.unregister()

    def _create_services(self, prefix: str, streams: Sequence[CameraStream]) -> None:
        """Create the services of one camera or of all cameras."""
        for service, kind, answer in (
            ('reset', Trigger, self._reset),
            ('enable', SetBool, self._enable),
        ):
            guarded = self.boundary.guard(
                f'{service} failed', partial(answer, streams), _unanswered
            )
            self.create_service(kind, f'{prefix}{service}', guarded)

    def _reset(
        self, streams: Sequence[CameraStream], _: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        for stream in streams:
            stream.reset(ResetReason.REQUESTED)
        response.success = self.pipeline.active
        response.message = (
            'the next image starts a new sequence' if response.success else 'not active'
        )
        return response

    def _enable(
        self, streams: Sequence[CameraStream], request: SetBool.Request, response: SetBool.Response
    ) -> SetBool.Response:
        for stream in streams:
            stream.enabled = request.data
        response.success = True
        response.message = 'enabled' if request.data else 'disabled: images are ignored'
        return response

    def _on_clock_jump(self, jump: TimeJump) -> None:
        """Start a new sequence if ROS time went back, or forward by more than the gap."""
        ahead_ns = jump.delta.nanoseconds
        for stream in self.pipeline.streams:
            gap_ns = stream.parameters.reset_max_gap * 1e9
            if ahead_ns < 0 or (gap_ns and ahead_ns > gap_ns):
                stream.reset(ResetReason.CLOCK_JUMP)

    def _set_parameters(self, changes: list[Parameter]) -> SetParametersResult:
        values = {change.name: change.value for change in changes}
        fixed = sorted(name for name in values if parameter_list.is_static(name, self._scopes))
        try:
            if fixed and self.pipeline.configured:
                raise ConfigError(
                    f'{", ".join(fixed)} can only be set while the node is unconfigured: '
                    'deactivate and clean it up first (ros2 lifecycle set)'
                )
            self.pipeline.change(parameter_list.read(self, self._scopes, values))
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _publish_diagnostics(self) -> None:
        message = diagnostics_message(
            self.get_clock().now().nanoseconds,
            [
                (self.pipeline.status(stream), stream.statistics.snapshot())
                for stream in self.pipeline.streams
            ],
            self.pipeline.parameters.diagnostics_period,
        )
        self._diagnostics.publish(message)


def _refused(error: Exception, _: list[Parameter]) -> SetParametersResult:
    return SetParametersResult(successful=False, reason=describe(error))


def _unanswered(_: Exception, __: Any, response: Any) -> Any:
    return response


if __name__ == '__main__':
    from flashdepth_ros.node.__main__ import main

    sys.exit(main())
