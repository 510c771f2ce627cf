"""The environment variables that ROS needs: for large images between processes and for its log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
import os
from pathlib import Path
from tempfile import mkdtemp

from flashdepth_ros.shipped import shipped_file

TRANSPORTS = 'FASTDDS_BUILTIN_TRANSPORTS'
PROFILES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
"""The variables for a profiles file, of Fast DDS 3 and Fast DDS 2."""
_RCLPY_OF_FAST_DDS_3 = 8
"""The first major version of rclpy, of Kilted; Jazzy has 7."""


def transport_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """
    Return the variables to add so that large images arrive; none if the user has set one of them.

    LARGE_DATA alone still loses best-effort images over half a megabyte. The shipped profile does
    not; Fast DDS prefers it to LARGE_DATA.
    """
    if any(environment.get(name) for name in (TRANSPORTS, *PROFILES)):
        return {}
    profile = shipped_profile()
    names = profile_variables() if profile else ()
    return {TRANSPORTS: 'LARGE_DATA', **dict.fromkeys(names, str(profile))}


def shipped_profile() -> Path | None:
    """Return the Fast DDS profiles file of this package, which carries large images."""
    return shipped_file('config', 'fastdds.xml')


def profile_variables() -> Sequence[str]:
    """Return the variable that this Fast DDS reads; Fast DDS 3 warns of the other one."""
    try:
        major = int(version('rclpy').partition('.')[0])
    except (PackageNotFoundError, ValueError):
        return PROFILES
    return PROFILES[:1] if major >= _RCLPY_OF_FAST_DDS_3 else PROFILES[1:]


def log_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """
    Return the variables to add so that ROS can write its log, without which it does not start.

    None if the user has set a folder or has a home; otherwise a temporary folder.
    """
    if environment.get('ROS_LOG_DIR') or environment.get('ROS_HOME'):
        return {}
    try:
        folder = Path(environment['HOME'], '.ros', 'log')
        folder.mkdir(parents=True, exist_ok=True)
        usable = os.access(folder, os.W_OK)
    except (KeyError, OSError):
        usable = False
    return {} if usable else {'ROS_LOG_DIR': mkdtemp(prefix='ros-log-')}
