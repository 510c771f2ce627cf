"""A test client for a depth node: publishes images, receives outputs, calls services."""

from contextlib import contextmanager
import time

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
import numpy as np
from rcl_interfaces.srv import SetParameters
import rclpy
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool, Trigger

from flashdepth_ros.ros import cdr
from flashdepth_ros.ros.transport import image_message
from support.node_process import START_S, NodeProcess
from support.ros_graph import Graph

BEST_EFFORT = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
RELIABLE = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE)
STEP_NS = 30_000_000
SIZE = (120, 160)
SERVICES = {
    'change_state': ChangeState,
    'enable': SetBool,
    'reset': Trigger,
    'set_parameters': SetParameters,
    'get_state': GetState,
}
REPLY_S = 2.0


class Bench:
    """A client of one node over DDS; its executor runs only in the spin methods."""

    def __init__(self, context, process, namespace=''):
        self.process = process
        self._graph = Graph(context)
        self.node = self._graph.node(f'bench_{process.pid}')
        self._base = f'{namespace}/flashdepth'
        self._subscriptions = {}
        self._clients = {
            name: self.node.create_client(kind, f'{self._base}/{name}')
            for name, kind in SERVICES.items()
        }
        self.stamp_ns = 100 * 10**9
        self.timing = self.subscribe(f'{self._base}/timing', DiagnosticArray)
        self.diagnostics = self.subscribe('/diagnostics', DiagnosticArray)
        self.spin_for, self.spin_until = self._graph.spin_for, self._graph.spin_until

    def subscribe(self, topic, kind, qos=RELIABLE):
        """Return a list to which the messages of a topic are appended from now on."""
        received = []
        subscription = self.node.create_subscription(kind, topic, received.append, qos)
        self._subscriptions[topic] = subscription
        return received

    def unsubscribe(self, topic):
        self.node.destroy_subscription(self._subscriptions.pop(topic))

    def create_publisher(self, topic='/image', kind=Image, qos=RELIABLE):
        """Return a publisher that is connected to the node."""
        publisher = self.node.create_publisher(kind, topic, qos)
        self.spin_until(publisher.get_subscription_count)
        return publisher

    def next_stamp(self, step_ns=STEP_NS):
        self.stamp_ns += step_ns
        return self.stamp_ns

    def image(self, rgb, frame_id='camera', step_ns=STEP_NS):
        """Return the message of an RGB image, with the next stamp."""
        return image_message(cdr.image_of(self.next_stamp(step_ns), frame_id, 'rgb8', rgb))

    def connect(self, publisher, message, received):
        """
        Publish until a new output of the node arrives in `received`; return the last one.

        All images are processed then: a reset afterwards is one before the next image.
        """
        deadline, before = time.monotonic() + 20, len(received)
        while len(received) == before:
            assert time.monotonic() < deadline, '\n'.join(self.process.lines)
            message.header.stamp = stamp_of(self.next_stamp())
            publisher.publish(message)
            again_s = time.monotonic() + 0.3
            while len(received) == before and time.monotonic() < again_s:
                self.spin_for(0.02)
        self.timing_of(message)
        return received[-1]

    def process_all(self, publisher, messages):
        """Publish images one after the other; return the values of `~/timing` of each."""
        times = []
        for message in messages:
            publisher.publish(message)
            times.append(self.timing_of(message))
        return times

    def round_trip(self, publisher, message, received):
        """Publish one image; return the output with its stamp from `received`."""
        publisher.publish(message)
        self.spin_until(lambda: find_by_stamp(received, message.header.stamp))
        return find_by_stamp(received, message.header.stamp)

    def timing_of(self, message):
        """Return the values of `~/timing` for an image."""
        self.spin_until(lambda: find_by_stamp(self.timing, message.header.stamp))
        return values_of(find_by_stamp(self.timing, message.header.stamp))

    def summary(self):
        """Return the values of the next /diagnostics."""
        self.diagnostics.clear()
        self.spin_until(lambda: len(self.diagnostics) > 1)
        return values_of(self.diagnostics[-1])

    def wait_for(self, **expected):
        """Wait until /diagnostics has the expected values; return all values."""
        self.spin_until(
            lambda: (
                self.diagnostics and expected.items() <= values_of(self.diagnostics[-1]).items()
            )
        )
        return values_of(self.diagnostics[-1])

    def wait_for_services(self):
        """Call until the node replies: it drops replies to a client not discovered yet."""
        client, replies = self._clients['get_state'], []
        while not any(reply.done() for reply in replies):
            assert len(replies) * REPLY_S < START_S, '\n'.join(self.process.lines)
            self.spin_until(client.service_is_ready, START_S)
            replies.append(client.call_async(GetState.Request()))
            self._graph.executor.spin_until_future_complete(replies[-1], REPLY_S)

    def call(self, name, request=None):
        """Call a service of the node by its private name; return the response."""
        client = self._clients[name]
        self.spin_until(client.service_is_ready)
        future = client.call_async(request or SERVICES[name].Request())
        self.spin_until(future.done, 30.0)
        return future.result()

    def reset(self):
        assert self.call('reset').success

    def set(self, **values):
        """Set parameters one by one; return the reasons of those that were refused."""
        parameters = [Parameter(name, value=value) for name, value in values.items()]
        request = SetParameters.Request(
            parameters=[each.to_parameter_msg() for each in parameters]
        )
        results = self.call('set_parameters', request).results
        return [result.reason for result in results if not result.successful]

    def change_state(self, *transitions):
        """Request lifecycle transitions; return whether each succeeded."""
        return [self._change_state(transition) for transition in transitions]

    def _change_state(self, transition):
        return self.call('change_state', _change_request(transition)).success

    def change_state_at_once(self, transition, count):
        """Request one transition several times at once; return whether each succeeded."""
        client = self._clients['change_state']
        self.spin_until(client.service_is_ready)
        futures = [client.call_async(_change_request(transition)) for _ in range(count)]
        self.spin_until(lambda: all(future.done() for future in futures), 30.0)
        return [future.result().success for future in futures]

    def reconfigure(self, **values):
        """Make the node unconfigured, set parameters, and activate it again."""
        down = (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP)
        up = (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)
        assert all(self.change_state(*down))
        assert not self.set(**values)
        assert all(self.change_state(*up))

    @property
    def state(self):
        return self.call('get_state').current_state.label

    def close(self):
        self._graph.close()


@contextmanager
def start_bench(folder, *remaps, ready='configured', namespace='', **options):
    """Start a node and its test client; at the end, the node must exit in time with status 0."""
    context = rclpy.Context()
    rclpy.init(context=context)
    with NodeProcess(folder, *remaps, **{'diagnostics.period': 0.1, **options}) as process:
        if ready is not None:
            process.wait_for_line(ready)
        bench = Bench(context, process, namespace)
        try:
            bench.wait_for_services()
            yield bench
            if process.alive:
                assert process.stop() == 0
            assert not [line for line in process.lines if 'Traceback' in line]
        finally:
            bench.close()
            rclpy.shutdown(context=context)


def _change_request(transition):
    return ChangeState.Request(transition=Transition(id=transition))


def values_of(message):
    (status,) = message.status
    return {'level': status.level, 'message': status.message} | {
        pair.key: pair.value for pair in status.values
    }


def stamp_of(stamp_ns):
    seconds, nanoseconds = divmod(stamp_ns, 10**9)
    return rclpy.time.Time(seconds=seconds, nanoseconds=nanoseconds).to_msg()


def pixels_of(message, dtype=np.float32):
    return np.frombuffer(message.data, dtype).reshape(message.height, message.width, -1)


def depth_of(message):
    return pixels_of(message)[..., 0]


def random_image(seed=0, size=SIZE):
    """Return an RGB image of random rectangles that depend on the seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    blocks = coarse.repeat(-(-size[0] // 6), axis=0).repeat(-(-size[1] // 8), axis=1)
    return np.ascontiguousarray(blocks[: size[0], : size[1]])


def find_by_stamp(messages, stamp):
    return next((each for each in messages if each.header.stamp == stamp), None)
