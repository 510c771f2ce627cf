"""What the player waits for before the first message: an active node, and subscribers."""

from __future__ import annotations

from threading import Event
import time

from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
import rclpy
from rclpy.node import Node
from rclpy.publisher import Publisher

POLL_S = 0.02
# A node drops the reply to a client that it has not discovered yet: ask again.
REPLY_S = 0.5
# The publisher knows of a match before the subscriber does, which until then receives nothing.
SETTLE_S = 0.5


def wait_until_active(name: str, node: Node, stop: Event) -> None:
    """Wait until the lifecycle node `name` is active, without a limit, or until `stop` is set."""
    client = node.create_client(GetState, f'{name}/get_state')
    try:
        while not stop.is_set():
            reply = client.call_async(GetState.Request())
            rclpy.spin_until_future_complete(node, reply, timeout_sec=REPLY_S)
            if not reply.done():
                client.remove_pending_request(reply)
                continue
            answer = reply.result()
            if answer and answer.current_state.id == State.PRIMARY_STATE_ACTIVE:
                return
            stop.wait(POLL_S)
    finally:
        node.destroy_client(client)


def wait_for_subscribers(
    publishers: list[Publisher], wait_s: float, node: Node, stop: Event
) -> None:
    """Wait until every publisher has a subscriber; after `wait_s` go on with a warning."""
    end_s = time.monotonic() + wait_s
    while wait_s > 0 and not stop.is_set():
        unmatched = [p.topic_name for p in publishers if not p.get_subscription_count()]
        if not unmatched:
            stop.wait(SETTLE_S)
            return
        if time.monotonic() > end_s:
            names = ', '.join(unmatched)
            node.get_logger().warning(
                f'no subscriber after {wait_s:g} s, playing without: {names}'
            )
            return
        stop.wait(POLL_S)
