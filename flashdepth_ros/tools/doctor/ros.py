"""Checks of ROS: the installation, the transport, discovery, shared memory, camera topics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
import time

import rclpy
from rclpy.utilities import get_rmw_implementation_identifier

from flashdepth_ros.ros.image_topics import image_streams
from flashdepth_ros.ros.shared_memory import (
    WITHOUT_SHARED_MEMORY,
    abandoned_bytes,
    foreign_users,
)
from flashdepth_ros.ros.wiring import (
    LARGE_MESSAGE_BYTES,
    large_message_advice,
    large_message_setting,
)
from flashdepth_ros.tools.doctor.finding import FAIL, WARN, Finding
from flashdepth_ros.tools.ros_node import ros_node

DISCOVERY_S = 2.0
MAX_DOMAIN = 232
"""With a larger one the numbers of the ports are too large."""
RANGES = ('SUBNET', 'LOCALHOST', 'SYSTEM_DEFAULT', 'OFF')


def ros(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Tell which ROS this is."""
    rmw = get_rmw_implementation_identifier()
    distribution = environ.get('ROS_DISTRO', 'not set, as usual with ROS wheels')
    yield Finding('ros', f'rclpy from {rclpy.__path__[0]}, {rmw}, ROS_DISTRO {distribution}')


def transport(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Check that large images arrive."""
    rmw = get_rmw_implementation_identifier()
    lossy = large_message_advice(LARGE_MESSAGE_BYTES + 1, environ, rmw)
    value = f'FASTDDS_BUILTIN_TRANSPORTS {environ.get("FASTDDS_BUILTIN_TRANSPORTS", "not set")}'
    fix = f'for the node and for the camera driver: export {large_message_setting(environ)}'
    yield Finding('transport', value, *((FAIL, fix) if lossy else ()))


def discovery(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Tell which other computers and processes are heard."""
    reach = environ.get('ROS_AUTOMATIC_DISCOVERY_RANGE') or 'SUBNET'
    if environ.get('ROS_LOCALHOST_ONLY') == '1':
        reach = 'LOCALHOST (ROS_LOCALHOST_ONLY)'
    value = f'domain {_domain(environ)}, range {reach}'
    problem = _discovery_problem(environ)
    yield Finding('discovery', value, *((FAIL, problem) if problem else ()))


def _domain(environ: Mapping[str, str]) -> str:
    return environ.get('ROS_DOMAIN_ID') or '0'


def _discovery_problem(environ: Mapping[str, str]) -> str:
    """Return what to do about settings with which no node is found; '' if nothing."""
    domain, reach = _domain(environ), environ.get('ROS_AUTOMATIC_DISCOVERY_RANGE') or 'SUBNET'
    if not (domain.isdecimal() and int(domain) <= MAX_DOMAIN):
        return f'set ROS_DOMAIN_ID to a number from 0 to {MAX_DOMAIN}, or unset it'
    if reach == 'OFF':
        return 'nodes do not find each other: unset ROS_AUTOMATIC_DISCOVERY_RANGE'
    if reach not in RANGES:
        return f'set ROS_AUTOMATIC_DISCOVERY_RANGE to one of {", ".join(RANGES)}, or unset it'
    return ''


def shared_memory(_: Mapping[str, str]) -> Iterator[Finding]:
    """Check the owners of Fast DDS's shared memory, and what killed processes left in it."""
    if users := foreign_users():
        others = f'{", ".join(users)}: data does not pass between their processes and yours'
        yield Finding('other users', f'Fast DDS is used by {others}', WARN, WITHOUT_SHARED_MEMORY)
    if left := abandoned_bytes():
        value = f'{left / 1e6:.0f} MB of shared memory left by killed processes'
        fix = 'the node removes those of its user when it starts'
        yield Finding('left behind', value, WARN, fix)


def camera(environ: Mapping[str, str]) -> Iterator[Finding]:
    """List the camera topics that are published now."""
    if _discovery_problem(environ):
        yield Finding('camera', 'not checked', WARN, 'first mend discovery')
        return
    with ros_node('flashdepth_doctor') as node:
        end_s = time.monotonic() + DISCOVERY_S
        while time.monotonic() < end_s and rclpy.ok():
            rclpy.spin_once(node, timeout_sec=0.1)
        streams = image_streams(node)
        for stream in streams:
            publisher, *_ = node.get_publishers_info_by_topic(stream.topic)
            reliability = publisher.qos_profile.reliability.name.lower()
            value = f'{stream.topic} ({publisher.topic_type}, {reliability})'
            yield Finding('camera', value)
    if not streams:
        value = f'no image topic heard within {DISCOVERY_S:g} s'
        fix = (
            f'start the camera driver, as the same user and with ROS_DOMAIN_ID {_domain(environ)}'
        )
        yield Finding('camera', value, WARN, fix)
