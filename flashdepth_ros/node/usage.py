"""What `depth_node --help` prints; it needs no ROS."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

from flashdepth_ros.shipped import shipped_file

_USAGE = """\
usage: depth_node [-h] [--ros-args [-p NAME:=VALUE] [--params-file FILE] [-r FROM:=TO]]

Estimate depth from the images of a camera: subscribe to image and camera_info, publish depth/image
and what else is subscribed to.

options:
  -h, --help            show this help and exit
  --ros-args            what follows is for ROS:
    -p NAME:=VALUE      set a parameter, such as model:=flashdepth-s
    --params-file FILE  set the parameters in a YAML file
    -r FROM:=TO         use another topic, such as image:=/camera/image_raw, or name, such as
                        __ns:=/robot

All parameters with their defaults are in
  {defaults}
and described by `ros2 param describe /flashdepth NAME` while the node runs.
"""


def wants_usage(words: Iterable[str]) -> bool:
    """Return whether the arguments of the process ask for its usage, before those for ROS."""
    own = takewhile(lambda word: word != '--ros-args', words)
    return any(word in ('-h', '--help') for word in own)


def usage() -> str:
    """Return the usage of the executable `depth_node`."""
    path = shipped_file('config', 'depth.yaml')
    return _USAGE.format(defaults=path or 'config/depth.yaml of the package flashdepth_ros')
