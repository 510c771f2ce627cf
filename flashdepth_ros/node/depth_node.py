"""
The ROS 2 node: a camera's images in; depth, camera_info, cloud and preview out.

A managed node that, unless `autostart` is false, configures and activates itself. Its topics,
parameters, services and reset reasons are listed in the README.
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
from flashdepth_ros.node.pipeline import Load, Pipeline
from flashdepth_ros.runtime import ResetReason
from flashdepth_ros.runtime.settings import create_estimator

_SUCCESS, _FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
# Smaller steps of the clock are its ordinary ticks.
_LEAST_JUMP = Duration(nanoseconds=10_000_000)


class DepthNode(LifecycleNode):
    """The pipeline's life in ROS: states, parameters, services, diagnostics."""

    def __init__(self, load: Load = create_estimator) -> None:
        super().__init__('flashdepth')
        self.finished = False
        """Whether it was shut down as lifecycle nodes are, for good."""
        parameter_list.declare(self)
        self.pipeline = Pipeline(self, load)
        self.add_on_set_parameters_callback(self._set_parameters)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._diagnostics_timer: Timer | None = None
        self.create_service(Trigger, '~/reset', self._reset)
        self.create_service(SetBool, '~/enable', self._enable)
        self._clock_jumps = self.get_clock().create_jump_callback(
            JumpThreshold(
                min_forward=_LEAST_JUMP,
                min_backward=Duration(nanoseconds=-1),
                on_clock_change=False,
            ),
            post_callback=self._jump,
        )

    def start(self) -> bool:
        """Configure and activate, unless told not to; return whether that went well."""
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
        # Simulated time may stand still; what the node tells of itself must not.
        self._diagnostics_timer = self.create_timer(
            parameters.diagnostics_period,
            self._tell_diagnostics,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        self.get_logger().info(f'configured: {running}')
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Take images."""
        self.pipeline.activate()
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Finish the image at hand and take no more."""
        self.pipeline.deactivate()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give the model back."""
        self._release()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop, and let the process end."""
        self._release()
        self.finished = True
        return super().on_shutdown(state)

    def close(self) -> None:
        """End the inference thread, whatever state the node is in."""
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
        response.message = 'enabled' if request.data else 'disabled: images are passed over'
        return response

    def _jump(self, jump: TimeJump) -> None:
        """Start a new sequence where ROS time went back, or on by more than a gap."""
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

    def _tell_diagnostics(self) -> None:
        message = diagnostics_message(
            self.get_clock().now().nanoseconds,
            self.pipeline.situation(),
            self.pipeline.statistics.snapshot(),
            self.pipeline.parameters.diagnostics_period,
        )
        self._diagnostics.publish(message)


def main(args: list[str] | None = None, load: Load = create_estimator) -> int:
    """Run the node until it is shut down; return the exit status."""
    # What was imported stays: to walk all of torch takes long, amid work and at the end.
    gc.freeze()
    # The context must outlive the inference thread, so the signals are ours and not rclpy's.
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
        # With a future to wait for, rclpy would hang one more callback on it at every turn.
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
