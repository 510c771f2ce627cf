"""Why images of another user or another container do not arrive, with real processes of both."""

import os
from pathlib import Path
import subprocess
import sys

import pytest
from sensor_msgs.msg import Image

from flashdepth_ros.ros.missing_messages import WantedImages, describe_missing_images
from flashdepth_ros.ros.shared_memory import (
    FOLDER,
    foreign_users,
    remove_abandoned_segments,
    shared_memory_problem,
)
from flashdepth_ros.ros.transport import Transport
from support.node_process import LEFTOVERS, NodeProcess
from support.paths import CAMERA_DRIVER, ROOT
from support.ros_graph import best_effort_input

TOPIC = '/cam/image_raw'
# To read the interpreter in the home of root; it gives no access to shared memory.
READ = '+dac_read_search'
OTHER_USER = [
    *('setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'),
    *('--inh-caps', READ, '--ambient-caps', READ),
]
OTHER_CONTAINER = [
    *('unshare', '--mount', 'sh', '-c'),
    *('mount -t tmpfs tmpfs /dev/shm && exec "$@"', 'sh'),
]
# Docker's 64 MiB, of which a killed process occupies 34 MB; another one does not fit beside it.
IN_SMALL_CONTAINER = [
    *('unshare', '--mount', 'sh', '-c'),
    """
    mount -t tmpfs -o size=64m tmpfs /dev/shm &&
    fallocate --length 34000000 /dev/shm/fastrtps_0123456789abcdef &&
    touch --date '1 minute ago' /dev/shm/fastrtps_0123456789abcdef_el && exec "$@"
    """,
    'sh',
]


def is_possible(prefix):
    command = [*prefix, sys.executable, '-c', 'pass']
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def needs(prefix):
    return pytest.mark.skipif(
        os.geteuid() != 0 or not is_possible(prefix), reason='needs the rights of root'
    )


@pytest.fixture
def start_camera(tmp_path):
    """Return a function that starts a camera driver with a command before it."""
    processes = []
    tmp_path.chmod(0o777)

    def start(prefix):
        command = [*prefix, sys.executable, CAMERA_DRIVER, TOPIC, 64, 48, 30, 1]
        environment = {**os.environ, 'ROS_LOG_DIR': str(tmp_path)}
        process = subprocess.Popen(
            list(map(str, command)), cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        # So that it removes its shared memory.
        process.terminate()
        process.wait()


@pytest.fixture
def explain(graph, start_camera):
    """Return a function: start a camera, wait for it, and explain why no images arrive."""
    node, received = graph.node('depth'), []
    Transport(raw=True).subscribe(
        node,
        best_effort_input(Image, TOPIC),
        lambda *item: received.append(item),
        print,
    )

    def explain(prefix, arrives):
        start_camera(prefix)
        graph.spin_until(lambda: node.count_publishers(TOPIC))
        if arrives:
            # The name of its node arrives some time after the publisher is discovered.
            graph.spin_until(lambda: received and not shared_memory_problem(node, TOPIC))
        else:
            graph.spin_for(1.0)
        wanted = WantedImages(TOPIC, compressed=False)
        problem = shared_memory_problem(node, TOPIC)
        return len(received), problem, describe_missing_images(node, wanted, 5.0)

    return explain


@needs(OTHER_USER)
def test_images_of_another_user(explain):
    received, problem, text = explain(OTHER_USER, arrives=False)
    assert received == 0
    assert 'user nobody' in problem or 'user 65534' in problem
    assert problem in text
    for solution in ('as the same user', '--ipc=host', 'FASTDDS_BUILTIN_TRANSPORTS=UDPv4'):
        assert solution in text
    assert 'LARGE_DATA' not in text
    assert foreign_users()


@needs(OTHER_CONTAINER)
def test_images_of_another_container(explain):
    received, problem, text = explain(OTHER_CONTAINER, arrives=False)
    assert received == 0
    assert 'containers that do not share /dev/shm' in problem
    assert '--ipc=host' in text


def test_images_of_the_same_user_arrive(explain):
    received, problem, _ = explain([], arrives=True)
    assert received > 0
    assert problem == ''


def test_leftovers_of_processes_that_have_ended_do_not_count(tmp_path):
    lock = tmp_path / 'fastrtps_0123456789abcdef_el'
    lock.touch()
    if os.geteuid() == 0:
        os.chown(lock, 65534, 65534)
    assert foreign_users(tmp_path) == []
    assert foreign_users(Path('/nowhere')) == []


def test_segments_of_killed_processes_are_removed_and_no_others(start_camera, graph):
    running, killed = start_camera([]), start_camera([])
    used, left = (segments_of(process, graph) for process in (running, killed))
    killed.kill()
    killed.wait()
    size = sum((FOLDER / name).stat().st_size for name in left)
    remove_abandoned_segments(min_age_s=60.0)
    assert all((FOLDER / name).exists() for name in left)
    assert remove_abandoned_segments(min_age_s=0.0) >= size > 30e6
    assert all((FOLDER / name).exists() for name in used)
    assert not any(each.name.startswith(tuple(left)) for each in FOLDER.iterdir())


def segments_of(process, graph):
    """Wait until a process has large shared memory; return the names of its segments."""
    names = set()

    def has_large_segment():
        locks = [line.split() for line in Path('/proc/locks').read_text().splitlines()]
        inodes = {words[5].rpartition(':')[2] for words in locks if words[4] == str(process.pid)}
        for lock in FOLDER.glob('fast*_el'):
            if 'port' not in lock.name and str(lock.stat().st_ino) in inodes:
                names.add(lock.name.removesuffix('_el'))
        return any((FOLDER / name).stat().st_size > 30e6 for name in names)

    graph.spin_until(has_large_segment)
    return names


@needs(IN_SMALL_CONTAINER)
def test_node_in_a_container_has_shared_memory_after_another_was_killed(tmp_path):
    with NodeProcess(tmp_path, prefix=IN_SMALL_CONTAINER) as node:
        node.wait_for_line('configured')
        lines = node.all_lines
    assert any(f'removed 34 MB {LEFTOVERS}' in line for line in lines)
    assert not any('Failed to create segment' in line for line in lines)
