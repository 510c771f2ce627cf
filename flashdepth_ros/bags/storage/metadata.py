"""The metadata.yaml of a rosbag2 folder: what it states, none of which is needed to read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

FILE_NAME = 'metadata.yaml'


@dataclass(frozen=True)
class Metadata:
    """Files, message counts by topic and custom data, as far as they are stated."""

    files: tuple[str, ...] = ()
    counts: Counter[str] = field(default_factory=Counter)
    custom_data: dict[str, str] = field(default_factory=dict)


def read_metadata(folder: Path) -> Metadata | None:
    """Return the metadata of a folder; None if there are none or they cannot be read."""
    try:
        content = yaml.safe_load((folder / FILE_NAME).read_text('utf-8', 'replace'))
        information = content['rosbag2_bagfile_information']
        return Metadata(
            tuple(PurePosixPath(str(each)).name for each in information['relative_file_paths']),
            Counter(dict(map(_count, information.get('topics_with_message_count') or ()))),
            {
                str(key): str(value)
                for key, value in (information.get('custom_data') or {}).items()
            },
        )
    except (OSError, yaml.YAMLError, LookupError, TypeError, ValueError, AttributeError):
        return None


def _count(entry: Any) -> tuple[str, int]:
    return str(entry['topic_metadata']['name']), int(entry['message_count'])
