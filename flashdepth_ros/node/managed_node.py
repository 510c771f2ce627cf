"""A lifecycle node that answers every request, and that no exception ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lifecycle_msgs.srv import ChangeState
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from flashdepth_ros.node.boundary import Boundary

SUCCESS = TransitionCallbackReturn.SUCCESS
_FAILURE, _ERROR = TransitionCallbackReturn.FAILURE, TransitionCallbackReturn.ERROR


class ManagedNode(LifecycleNode):
    """
    Turns what a transition raises into one line and a refusal.

    rclpy takes an exception in a transition for a failure without a word, and up to Jazzy it ends
    the process at a request that is not legal in the current state.
    """

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self.boundary = Boundary(self.get_logger(), every_s=0.0)
        service = self._service_change_state
        self._change_state = self.boundary.guard(
            'transition failed', service.callback, lambda _, __, response: response
        )
        service.callback = self._answer

    def destroy_node(self) -> None:
        """Also release the state machine: it keeps the DDS participant and its shared memory."""
        super().destroy_node()
        self._state_machine = None

    def configure(self) -> None:
        """Prepare everything; if it raises, the node stays unconfigured."""

    def activate(self) -> None:
        """Start; if it raises, the node stays inactive."""

    def deactivate(self) -> None:
        """Undo `activate`; if it raises, the node becomes unconfigured."""

    def clean_up(self) -> None:
        """Undo `configure`, also after it has raised."""

    def shut_down(self) -> None:
        """Undo everything, in any state."""

    def refusal_advice(self) -> str:
        """Return what to do about transitions that are not legal."""
        return ''

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """See `configure`."""
        done = self._make('not configured', self.configure, _FAILURE)
        if done != SUCCESS:
            self._make('not cleaned up', self.clean_up, _FAILURE)
            return done
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """See `activate`."""
        done = self._make('not activated', self.activate, _FAILURE)
        return super().on_activate(state) if done == SUCCESS else done

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """See `deactivate`."""
        done = self._make('not deactivated', self.deactivate, _ERROR)
        return super().on_deactivate(state) if done == SUCCESS else done

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """See `clean_up`."""
        done = self._make('not cleaned up', self.clean_up, _ERROR)
        return super().on_cleanup(state) if done == SUCCESS else done

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """See `shut_down`."""
        self._make('not shut down', self.shut_down, _ERROR)
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Undo everything after a failed transition; the node is then unconfigured."""
        self._make('not cleaned up', self.clean_up, _ERROR)
        return super().on_error(state)

    def _make(
        self,
        failed: str,
        action: Callable[[], None],
        otherwise: TransitionCallbackReturn,
    ) -> TransitionCallbackReturn:
        """Call an action; log what it raises and return `otherwise`, else SUCCESS."""

        def make() -> TransitionCallbackReturn:
            action()
            return SUCCESS

        return self.boundary.guard(failed, make, lambda _: otherwise)()

    def _answer(
        self, request: ChangeState.Request, response: ChangeState.Response
    ) -> ChangeState.Response:
        """Refuse a transition that is not legal in the current state; make any other."""
        legal = {number: label for number, label, *_ in self._state_machine.available_transitions}
        wanted = request.transition
        if wanted.label in legal.values() if wanted.label else wanted.id in legal:
            return self._change_state(request, response)
        name = f"'{wanted.label}'" if wanted.label else f'number {wanted.id}'
        _, state = self._state_machine.current_state
        self.get_logger().warning(
            f'refused transition {name}: the node is {state}, possible are now '
            f'{", ".join(sorted(set(legal.values()))) or "none"}{self.refusal_advice()}'
        )
        response.success = False
        return response
