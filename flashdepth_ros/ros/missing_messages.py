"""Explain why no images or no camera_info arrive, with arguments that solve it."""

from __future__ import annotations

from dataclasses import dataclass
import os

from rclpy.node import Node
from rclpy.qos import QoSCompatibility, qos_check_compatible

from flashdepth_ros.ros.domains import domains_in_use
from flashdepth_ros.ros.environment import PROFILES, TRANSPORTS
from flashdepth_ros.ros.image_topics import (
    CAMERA_INFO,
    COMPRESSED_IMAGE,
    IMAGE,
    camera_info_beside,
    camera_info_topics,
    image_streams,
    published_types,
)
from flashdepth_ros.ros.shared_memory import WITHOUT_SHARED_MEMORY, shared_memory_problem

_LISTED_MAX = 8


@dataclass(frozen=True)
class WantedImages:
    """The image subscription that receives nothing."""

    topic: str
    """The resolved name."""
    compressed: bool
    arrived: bool = False
    """Whether images have arrived before."""
    camera: str = ''
    """The name of the node's camera; '' if it has one only."""

    @property
    def type(self) -> str:
        """The message type of the subscription."""
        return COMPRESSED_IMAGE if self.compressed else IMAGE


def describe_missing_images(node: Node, wanted: WantedImages, timeout_s: float) -> str:
    """
    Return why no images arrive and what to do; arguments in it can be used literally.

    :param timeout_s: time without images.
    """
    count = node.count_publishers(wanted.topic)
    images = 'no more images' if wanted.arrived else 'no images'
    start = f'{images} on {wanted.topic} for {timeout_s:g} s; it has {count} publisher(s)'
    types = published_types(node, wanted.topic)
    if wanted.type in types:
        return f'{start}{_why_publisher_is_not_heard(node, wanted)}'
    if types:
        start += f' of {" and ".join(sorted(types))}, but this node expects {wanted.type}'
    return f'{start}; {_suggest_images(node, wanted)}'


def describe_missing_camera_info(
    node: Node, topic: str, image: str, camera: str = ''
) -> tuple[str, str]:
    """
    Return that no camera_info arrives, and advice; arguments in it can be used literally.

    :param topic: the resolved name of camera_info.
    :param image: the resolved name of the image topic.
    :param camera: the name of the node's camera; '' if it has one only.
    """
    count, types = node.count_publishers(topic), published_types(node, topic)
    start = f'no camera_info on {topic}, which has {count} publisher(s)'
    if CAMERA_INFO in types:
        reasons = _incompatible_qos(node, topic, CAMERA_INFO)
        return start, f'; {reasons or f"check that it publishes (ros2 topic hz {topic})"}'
    if types:
        start += f' of {" and ".join(sorted(types))}'
    others = camera_info_topics(node, image)
    if not others:
        return start, '; no other camera_info topic exists: let the camera driver publish one'
    return start, (
        f'; camera_info topics: {_listed(others)}; start the node also with '
        f'-r {_of(camera)}camera_info:={others[0]}'
    )


def _why_publisher_is_not_heard(node: Node, wanted: WantedImages) -> str:
    """Return why no images arrive from a publisher of the expected type."""
    if reasons := _incompatible_qos(node, wanted.topic, wanted.type):
        return f'; {reasons}'
    if wanted.arrived:
        return ': check the camera driver'
    if problem := shared_memory_problem(node, wanted.topic):
        return f', but nothing arrives: {problem}; {WITHOUT_SHARED_MEMORY}'
    large = f'{TRANSPORTS}=LARGE_DATA on both sides'
    if any(map(os.environ.get, (TRANSPORTS, *PROFILES))):
        large = 'the same settings of Fast DDS for the camera driver as for this node'
    return (
        f', but nothing arrives: check that it publishes (ros2 topic hz {wanted.topic}) and that '
        f'large messages pass ({large})'
    )


def _incompatible_qos(node: Node, topic: str, message_type: str) -> str:
    """Return why the QoS of no publisher fits this node's subscriptions; '': one does."""
    own = [
        each.qos_profile
        for each in node.get_subscriptions_info_by_topic(topic)
        if (each.node_name, each.node_namespace) == (node.get_name(), node.get_namespace())
    ]
    offered = [
        each.qos_profile
        for each in node.get_publishers_info_by_topic(topic)
        if each.topic_type == message_type
    ]
    checks = [qos_check_compatible(theirs, ours) for theirs in offered for ours in own]
    if not checks or any(result != QoSCompatibility.ERROR for result, _ in checks):
        return ''
    reasons = sorted({reason.strip(' ;').removeprefix('ERROR: ') for _, reason in checks})
    return (
        f'QoS is incompatible ({"; ".join(reasons)}): set qos_overrides.{topic}.subscription '
        'parameters as the warning about it says'
    )


def _suggest_images(node: Node, wanted: WantedImages) -> str:
    """Return the image streams that exist and the arguments for the first one."""
    others = {each.topic_name for each in node.subscriptions} - {wanted.topic}
    streams = [each for each in image_streams(node) if each.topic not in others]
    if not streams:
        return _suggest_domain(node)
    best = next((each for each in streams if each.has(wanted.topic)), streams[0])
    arguments = best.arguments(wanted.topic, wanted.compressed, wanted.camera)
    info = camera_info_beside(best.topic)
    if CAMERA_INFO in published_types(node, info):
        arguments += f' -r {_of(wanted.camera)}camera_info:={info}'
    return (
        f'image topics: {_listed([each.topic for each in streams])}; start the node with '
        f'--ros-args {arguments}'
    )


def _of(camera: str) -> str:
    """Return what the topics of a camera begin with."""
    return f'{camera}/' if camera else ''


def _suggest_domain(node: Node) -> str:
    own = node.context.get_domain_id()
    others = sorted(domains_in_use() - {own})
    start = f'no other image topic exists in ROS_DOMAIN_ID {own}'
    if others:
        return (
            f'{start}, but processes on this host use {", ".join(map(str, others))}: start the '
            'camera driver and this node with the same ROS_DOMAIN_ID'
        )
    return (
        f'{start}: check that the camera driver is running, with the same ROS_DOMAIN_ID and '
        'ROS_AUTOMATIC_DISCOVERY_RANGE'
    )


def _listed(topics: list[str]) -> str:
    rest = len(topics) - _LISTED_MAX
    return ', '.join(topics[:_LISTED_MAX]) + (f' and {rest} more' if rest > 0 else '')
