"""The topics of a recording, and those that the depth node needs: `flashdepth topics`."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
import json
from pathlib import Path
import re
import sys

from flashdepth_ros.bags.find import (
    COMPRESSED_IMAGE,
    RAW_IMAGE,
    find_camera_info_topic,
    find_image_topic,
    find_topic,
    is_depth,
)
from flashdepth_ros.bags.reader import BagReader, Topic
from flashdepth_ros.errors import BagError

_TRANSPORTS = {'raw': RAW_IMAGE, 'compressed': COMPRESSED_IMAGE}
_SUFFIX = '/compressed'


@dataclass(frozen=True)
class DepthInputs:
    """The topics of a recording that the depth node needs."""

    image: Topic
    camera_info: Topic | None

    @property
    def transport(self) -> str:
        """Return the value for the parameter `image_transport`."""
        return 'compressed' if self.image.type == COMPRESSED_IMAGE else 'raw'

    @property
    def names(self) -> dict[str, str]:
        """Return the names to publish the topics under, by their names in the recording."""
        image = _allowed(self.image.name)
        if self.transport == 'compressed':
            image = image.removesuffix(_SUFFIX) + _SUFFIX
        names = {self.image.name: image}
        if self.camera_info is not None:
            names[self.camera_info.name] = _allowed(self.camera_info.name)
        return names

    @property
    def remap_rules(self) -> list[str]:
        """Return the rules for `flashdepth play --remap`."""
        return [f'{old}:={new}' for old, new in self.names.items() if old != new]

    @property
    def launch_arguments(self) -> dict[str, str]:
        """Return the arguments of `depth.launch.py`."""
        image, *camera_info = self.names.values()
        return {
            'input_image_topic': image.removesuffix(_SUFFIX),
            'image_transport': self.transport,
            **dict(zip(['input_camera_info_topic'], camera_info, strict=False)),
        }


def find_inputs(
    bag: BagReader, image: str = '', camera_info: str = '', transport: str = ''
) -> DepthInputs:
    """
    Find the image topic of an open recording, and its camera_info if there is one.

    :param image: the image topic, also without `/compressed`; '': the only one.
    :param camera_info: its topic; '': the one that belongs to the image topic.
    :param transport: 'raw' or 'compressed'; '': as recorded, raw if both are.
    :raises BagError: there is no such topic, or several match.
    """
    types = [_TRANSPORTS[transport]] if transport else list(_TRANSPORTS.values())
    names = {topic.name.lstrip('/') for topic in bag.topics if topic.type in types}
    spellings = [image, f'{image}{_SUFFIX}'] if image else []
    name = next((each for each in spellings if each.lstrip('/') in names), image)
    if transport:
        topic = find_topic(bag, types, name, lambda m: not is_depth(m), option='--topic')
    else:
        topic = find_image_topic(bag, name)
    return DepthInputs(topic, find_camera_info_topic(bag, topic, camera_info))


def _allowed(name: str) -> str:
    """Return the name with a leading slash and without what ROS does not allow in it."""
    parts = re.sub(r'[^A-Za-z0-9_/]', '_', name).split('/')
    return ''.join(f'/_{part}' if part[0].isdigit() else f'/{part}' for part in parts if part)


def add_recording(parser: argparse.ArgumentParser) -> None:
    """Add the recording, and the options that choose the images in it and their camera_info."""
    parser.add_argument('bag', type=Path, help='rosbag2 folder, .mcap, .db3, or ROS 1 .bag')
    parser.add_argument(
        '--topic', default='', help='image topic, raw or compressed; needed if there are several'
    )
    parser.add_argument(
        '--info-topic', default='', metavar='TOPIC', help='camera_info topic of the images'
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that `run` reads."""
    add_recording(parser)
    parser.add_argument('--transport', default='', choices=('', *_TRANSPORTS))
    parser.add_argument(
        '--json', action='store_true', help='print what replay.launch.py needs instead'
    )


def run(arguments: argparse.Namespace) -> int:
    """
    Print the topics, and the launch arguments for those that the depth node needs.

    :raises BagError: the recording cannot be read, or given topics cannot be found, or for the
        output as JSON the node's topics.
    """
    given = (arguments.topic, arguments.info_topic, arguments.transport)
    with BagReader(arguments.bag) as bag:
        if not arguments.json:
            sys.stdout.writelines(f'{topic}\n' for topic in bag.topics)
        try:
            inputs = find_inputs(bag, *given)
        except BagError as error:
            if arguments.json or any(given):
                raise
            sys.stdout.write(f'\nnothing found for depth.launch.py: {error}\n')
            return 0
    if arguments.json:
        result = {
            'launch_arguments': inputs.launch_arguments,
            'topics': list(inputs.names),
            'remap': inputs.remap_rules,
        }
        sys.stdout.write(f'{json.dumps(result)}\n')
        return 0
    words = ' '.join(f'{name}:={value}' for name, value in inputs.launch_arguments.items())
    sys.stdout.write(f'\nfor depth.launch.py: {words}\n')
    return 0
