"""The environment in which large images pass from process to process."""

from __future__ import annotations

from collections.abc import Mapping

from flashdepth_ros.shipped import shipped_file

TRANSPORTS = 'FASTDDS_BUILTIN_TRANSPORTS'
PROFILES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
"""What Fast DDS 3 and Fast DDS 2 call a file of settings."""


def transport_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """
    Return what to add to an environment so that large images pass; nothing where the user chose.

    LARGE_DATA alone still loses best-effort images over half a megabyte; the shipped profile does
    not, and wins over it.
    """
    if any(environment.get(name) for name in (TRANSPORTS, *PROFILES)):
        return {}
    profile = shipped_file('config', 'fastdds.xml')
    return {TRANSPORTS: 'LARGE_DATA', **(dict.fromkeys(PROFILES, str(profile)) if profile else {})}
