"""
The files of a recording: their channels, and their messages by time of recording.

Files are scanned, and indexes are not relied on, so that a recording whose recorder was killed,
or that has no index, is read as far as it goes.
"""

from flashdepth_ros.bags.storage.channel import Channel, Definition, StoredMessage
from flashdepth_ros.bags.storage.recording import Recording

__all__ = ['Channel', 'Definition', 'Recording', 'StoredMessage']
