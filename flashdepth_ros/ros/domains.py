"""The ROS domains in use on this host, from the UDP ports that DDS derives from a domain."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_BASE_PORT = 7400
_PORTS_PER_DOMAIN = 250
_DOMAIN_MAX = 101
"""The ports of higher domains are also those of outgoing connections."""
_FIRST_PARTICIPANT = 10
_SOCKETS = Path('/proc/net/udp')


def domains_in_use() -> set[int]:
    """Return the domains of the ROS processes on this host; empty if that cannot be found out."""
    try:
        lines = _SOCKETS.read_text(encoding='utf-8').splitlines()[1:]
    except OSError:
        return set()
    return domains_of_ports(int(line.split()[1].rpartition(':')[2], 16) for line in lines)


def domains_of_ports(ports: Iterable[int]) -> set[int]:
    """
    Return the domains whose processes use these UDP ports.

    Each process has the discovery port of the domain, or a pair of ports of its own.
    """
    known = set(ports)
    domains = set()
    for port in known:
        domain, offset = divmod(port - _BASE_PORT, _PORTS_PER_DOMAIN)
        is_own = offset >= _FIRST_PARTICIPANT and offset % 2 == 0 and port + 1 in known
        if 0 <= domain <= _DOMAIN_MAX and (offset == 0 or is_own):
            domains.add(domain)
    return domains
