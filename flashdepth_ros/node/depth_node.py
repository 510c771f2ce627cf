"""
The ROS 2 node: subscribes to images; publishes depth, camera_info, cloud and preview.

It is a managed (lifecycle) node that configures and activates itself unless `autostart` is false.
doc/topics.md lists its topics, services and reset reasons, doc/parameters.md its parameters.
"""

from __future__ import annotations

import gc
import signal
import sys

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
import rclpy
from rclpy.clock import Clock, ClockType, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions
from rclpy.timer import Timer
from std_srvs.srv import SetBool, Trigger

from flashdepth_ros.errors import ConfigError, FlashDepthError
from flashdepth_ros.node import parameters as parameter_list
from flashdepth_ros.node.diagnostics import diagnostics_message
from flashdepth_ros.node.pipeline import EstimatorFactory, Pipeline
from flashdepth_ros.runtime import ResetReason
from flashdepth_ros.runtime.settings import create_estimator

_SUCCESS, _FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
# Smaller forward steps are the normal ticks of /clock.
_MIN_JUMP = Duration(nanoseconds=10_000_000)


class DepthNode(LifecycleNode):
    """Connects the pipeline to lifecycle, parameters, services and diagnostics."""

    def __init__(self, load: EstimatorFactory = create_estimator) -> None:
        super().__init__('flashdepth')
        self.finished = False
        """Whether a lifecycle shutdown transition was made; the process then ends."""
        parameter_list.declare(self)
        self.pipeline = Pipeline(self, load)
        self.add_on_set_parameters_callback(self._set_parameters)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._diagnostics_timer: Timer | None = None
        self.create_service(Trigger, '~/reset', self._reset)
        self.create_service(SetBool, '~/enable', self._enable)
        self._clock_jumps = self.get_clock().create_jump_callback(
            JumpThreshold(
                min_forward=_MIN_JUMP,
                min_backward=Duration(nanoseconds=-1),
                on_clock_change=False,
            ),
            post_callback=self._on_clock_jump,
        )

    def start(self) -> bool:
        """Configure and activate if `autostart` is set; return False if a transition fails."""
        if not self.get_parameter('autostart').value:
            return True
        return self.trigger_configure() == _SUCCESS and self.trigger_activate() == _SUCCESS

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and run it once, so that the first image is not slow."""
        try:
            parameters = parameter_list.read(self)
            running = self.pipeline.configure(parameters)
        except (FlashDepthError, RuntimeError, MemoryError) as error:
            self.get_logger().error(f'not configured: {error}')
            return _FAILURE
        # A steady clock: diagnostics must go on when simulated time stands still.
        self._diagnostics_timer = self.create_timer(
            parameters.diagnostics_period,
            self._publish_diagnostics,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        self.get_logger().info(f'configured: {running}')
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start to process images."""
        self.pipeline.activate()
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Finish the current image and process no more."""
        self.pipeline.deactivate()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release the model."""
        self._release()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release the model and end the process."""
        self._release()
        self.finished = True
        return super().on_shutdown(state)

    def close(self) -> None:
        """End the inference thread in any state of the node."""
        self.pipeline.deactivate()
        self._clock_jumps.unregister()

    def _release(self) -> None:
        self.pipeline.deactivate()
        self.pipeline.clean_up()
        if self._diagnostics_timer is not None:
            self.destroy_timer(self._diagnostics_timer)
            self._diagnostics_timer = None

    def _reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self.pipeline.reset(ResetReason.REQUESTED)
        response.success = self.pipeline.active
        response.message = (
            'the next image starts a new sequence' if response.success else 'not active'
        )
        return response

    def _enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self.pipeline.enabled = request.data
        response.success = True
        response.message = 'enabled' if request.data else 'disabled: images are ignored'
        return response

    def _on_clock_jump(self, jump: TimeJump) -> None:
        """Start a new sequence if ROS time went back, or forward by more than the gap."""
        gap_ns = self.pipeline.parameters.reset_max_gap * 1e9
        ahead_ns = jump.delta.nanoseconds
        if ahead_ns < 0 or (gap_ns and ahead_ns > gap_ns):
            self.pipeline.reset(ResetReason.CLOCK_JUMP)

    def _set_parameters(self, changes: list[Parameter]) -> SetParametersResult:
        values = {change.name: change.value for change in changes}
        fixed = sorted(parameter_list.static_names() & values.keys())
        try:
            if fixed and self.pipeline.configured:
                raise ConfigError(
                    f'{", ".join(fixed)} can only be set while the node is unconfigured: '
                    'deactivate and clean it up first (ros2 lifecycle set)'
                )
            self.pipeline.change(parameter_list.read(self, values))
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _publish_diagnostics(self) -> None:
        message = diagnostics_message(
            self.get_clock().now().nanoseconds,
            self.pipeline.status(),
            self.pipeline.statistics.snapshot(),
            self.pipeline.parameters.diagnostics_period,
        )
        self._diagnostics.publish(message)


def main(args: list[str] | None = None, load: EstimatorFactory = create_estimator) -> int:
    """Run the node until it is shut down; return the exit status."""
    # Exclude the imported modules from garbage collection: a scan of torch's objects takes long.
    gc.freeze()
    # Own signal handlers: rclpy's would shut the context down before the inference thread ends.
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    node = None
    try:
        node = DepthNode(load)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        if not node.start():
            return 1
        # Not spin_until_future_complete: rclpy would add a callback to the future at every turn.
        while not node.finished:
            executor.spin_once()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except (InvalidParameterValueException, InvalidParameterTypeException) as error:
        rclpy.logging.get_logger('flashdepth').error(f'not started: {error}')
        return 1
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        if node is not None:
            node.close()
        rclpy.utilities.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
