"""Gives this test process, and those it starts, a ROS network of their own."""

from collections.abc import Iterator
import os
from pathlib import Path
import signal

import pytest

from flashdepth_ros.entry_point import let_idle_threads_sleep
from flashdepth_ros.ros.environment import transport_environment
from flashdepth_ros.ros.shared_memory import remove_abandoned_segments
from support.fast_dds import use_profile_for_many_participants
from support.network import MODEL

_LONG = {
    *('test_golden.py', 'test_engines.py', 'test_attention_engines.py', 'test_gpu_check.py'),
    *('test_export.py', 'test_demo.py', 'test_benchmark.py', 'test_advice.py', 'test_cameras.py'),
}
_WITH_PROCESSES = {
    'node',
    'ros',
    'tools',
    'test_launch.py',
    'test_launch_sources.py',
    'test_interruption.py',
}

let_idle_threads_sleep()
os.environ.update(transport_environment(os.environ))
use_profile_for_many_participants(os.environ)
# A shell's background job ignores Ctrl-C, and what it starts would; the tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
os.environ['ROS_DOMAIN_ID'] = str(os.getpid() % 100 + 1)


def pytest_configure(config: pytest.Config) -> None:
    """Let through what ROS itself warns of: lark in its generator, in Kilted its own logger."""
    config.addinivalue_line(
        'markers', 'needs_torch(reason): is skipped where the tests run an exported model'
    )
    config.addinivalue_line('filterwarnings', 'ignore:module .sre_:DeprecationWarning')
    config.addinivalue_line('filterwarnings', 'ignore:.*RcutilsLogger.warning:DeprecationWarning')


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """
    Put the longest files first, and give tests with real processes a second try.

    So no process has to wait at the end for a file that another one runs. The summary shows
    second tries as rerun: another program that takes a core for a second makes tests miss their
    times.
    """
    items.sort(key=lambda item: item.path.name not in _LONG)
    for item in items:
        for mark in item.iter_markers('needs_torch') if MODEL else ():
            item.add_marker(pytest.mark.skip(reason=f'needs PyTorch: {mark.args[0]}'))
        if _WITH_PROCESSES & set(item.path.relative_to(Path(__file__).parent).parts):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope='module', autouse=True)
def _free_shared_memory() -> Iterator[None]:
    """Remove what killed processes of a module left, which would fill memory over many runs."""
    yield
    remove_abandoned_segments()


@pytest.fixture
def ros_context() -> Iterator[object]:
    """A ROS context of the test's own; pass it to nodes and executors."""
    import rclpy

    context = rclpy.Context()
    rclpy.init(context=context)
    yield context
    rclpy.shutdown(context=context)


@pytest.fixture
def graph(ros_context: object) -> Iterator[object]:
    """Real nodes of this process on one executor: see `ros_graph.Graph`."""
    from support.ros_graph import Graph

    graph = Graph(ros_context)
    yield graph
    graph.close()


@pytest.fixture(scope='module')
def install(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build and install the package with colcon; return the folder."""
    from support.installed_package import build

    return build(tmp_path_factory.mktemp('workspace'))


@pytest.fixture
def listener(ros_context: object) -> Iterator[object]:
    """A node that observes the graph: see `launch_process.Listener`."""
    from support.launch_process import Listener

    listener = Listener(ros_context)
    yield listener
    listener.node.destroy_node()


@pytest.fixture
def gl() -> None:
    """Skip the test if this computer cannot render."""
    from flashdepth_ros.errors import SimulationError
    from flashdepth_ros.simulation.renderer import start_gl

    try:
        start_gl()
    except SimulationError as error:
        pytest.skip(str(error))
