"""A process that runs a launch file as `ros2 launch` does, and a node that observes the graph."""

from contextlib import contextmanager
from importlib.util import find_spec
import os
from pathlib import Path
import signal
import subprocess
import sys
import time

import pytest
from rcl_interfaces.srv import GetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python

from support.installed_package import environment
from support.paths import STUBS

# Runs a launch file with arguments NAME:=VALUE, as `ros2 launch` does.
LAUNCHER = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

arguments = [argument.split(':=', 1) for argument in sys.argv[2:]]
source = PythonLaunchDescriptionSource(sys.argv[1])
service = LaunchService()
service.include_launch_description(
    LaunchDescription([IncludeLaunchDescription(source, launch_arguments=arguments)])
)
sys.exit(service.run())
"""
# Compiling the network takes this long on a busy computer.
START_S = 180.0
REPLY_S = 2.0
NEEDED = ('colcon_ros', 'osrf_pycommon', 'launch', 'launch.actions', 'launch_ros.actions')


def skip_without_launch():
    """Skip the calling module of tests if the packages of launch are not installed."""
    # Also for the launched processes, hence in the environment.
    if find_spec('composition_interfaces') is None and str(STUBS) not in sys.path:
        sys.path.append(str(STUBS))
        paths = (os.environ.get('PYTHONPATH'), str(STUBS))
        os.environ['PYTHONPATH'] = os.pathsep.join(filter(None, paths))
    for package in NEEDED:
        pytest.importorskip(
            package, reason=f'{package} is not installed; see CONTRIBUTING.md, "Launch files"'
        )


class Listener:
    """A node that observes the graph."""

    def __init__(self, context):
        self.node = Node('listener', context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)

    def wait(self, condition, launched):
        deadline = time.monotonic() + START_S
        while not condition():
            assert launched.poll() is None, launched.output()
            assert time.monotonic() < deadline, launched.output()
            self.executor.spin_once(timeout_sec=0.05)

    def subscriptions(self, name, namespace='/'):
        if (name, namespace) not in self.node.get_node_names_and_namespaces():
            return set()
        topics = self.node.get_subscriber_names_and_types_by_node(name, namespace)
        return {topic for topic, _ in topics}

    def parameters(self, node_name, names, launched):
        """Return parameters; ask again, as a node drops replies to a client not discovered yet."""
        client = self.node.create_client(GetParameters, f'{node_name}/get_parameters')
        self.wait(client.service_is_ready, launched)
        deadline, replies = time.monotonic() + START_S, []
        while not any(reply.done() for reply in replies):
            assert launched.poll() is None, launched.output()
            assert time.monotonic() < deadline, launched.output()
            replies.append(client.call_async(GetParameters.Request(names=list(names))))
            self.executor.spin_until_future_complete(replies[-1], REPLY_S)
        reply = next(reply.result() for reply in replies if reply.done())
        return {
            name: parameter_value_to_python(value)
            for name, value in zip(names, reply.values, strict=True)
        }


class Launched(subprocess.Popen):
    """A launch process and its log."""

    log: Path

    def output(self):
        return self.log.read_text()

    def child(self, executable):
        """Return the /proc folder of the launched process of an executable."""
        found = subprocess.check_output(['pgrep', '-n', '-s', str(self.pid), '-f', executable])
        return Path('/proc', found.decode().strip())

    def environment_of(self, executable):
        entries = (self.child(executable) / 'environ').read_text().split('\0')
        return dict(entry.split('=', 1) for entry in entries if '=' in entry)

    def command_of(self, executable):
        return (self.child(executable) / 'cmdline').read_text().split('\0')


@contextmanager
def launched(install, file, arguments, folder, **changes):
    """Run an installed launch file; at the end send Ctrl-C, and check for a clean shutdown."""
    path = install / 'flashdepth_ros/share/flashdepth_ros/launch' / file
    log = folder / 'launch.log'
    variables = environment(install) | {'ROS_LOG_DIR': str(folder)} | changes
    with log.open('wb') as output:
        process = Launched(
            [sys.executable, '-c', LAUNCHER, path, *arguments],
            env={name: value for name, value in variables.items() if value},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    process.log = log
    try:
        yield process
        # To the whole group, as a terminal does: launch relies on its children receiving it too.
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(10) == 0, process.output()
        assert 'escalating' not in process.output(), process.output()
        assert 'has died' not in process.output()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def run_launch(install, file, arguments, folder):
    """Run an installed launch file that ends by itself; return the process with its output."""
    path = install / 'flashdepth_ros/share/flashdepth_ros/launch' / file
    return subprocess.run(
        [sys.executable, '-c', LAUNCHER, path, *arguments],
        env=environment(install) | {'ROS_LOG_DIR': str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=START_S,
    )


def failed_launch(install, file, arguments, folder):
    """Run a launch file that is to end before it starts a process; return its error."""
    run = run_launch(install, file, arguments, folder)
    assert run.returncode == 1
    (line,) = [line for line in run.stdout.splitlines() if '[ERROR]' in line]
    assert 'Traceback' not in run.stdout
    assert 'process started' not in run.stdout
    return line
