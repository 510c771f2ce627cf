"""The environment variables that large images need between processes."""

from __future__ import annotations

from collections.abc import Mapping

from flashdepth_ros.shipped import shipped_file

TRANSPORTS = 'FASTDDS_BUILTIN_TRANSPORTS'
PROFILES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
"""The variables for a profiles file, of Fast DDS 3 and Fast DDS 2."""


def transport_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """
    Return the variables to add so that large images arrive; none if the user has set one of them.

    LARGE_DATA alone still loses best-effort images over half a megabyte. The shipped profile does
    not; Fast DDS prefers it to LARGE_DATA.
    """
    if any(environment.get(name) for name in (TRANSPORTS, *PROFILES)):
        return {}
    profile = shipped_file('config', 'fastdds.xml')
    return {TRANSPORTS: 'LARGE_DATA', **(dict.fromkeys(PROFILES, str(profile)) if profile else {})}
