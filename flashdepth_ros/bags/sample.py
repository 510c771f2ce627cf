"""The recording that ships with the package."""

from pathlib import Path

from flashdepth_ros.errors import BagError
from flashdepth_ros.shipped import shipped_file


def sample_recording() -> Path:
    """
    Return the path of the recording that ships with the package.

    :raises BagError: it was not found; an installed package does not contain it.
    """
    metadata = shipped_file('recordings/sample', 'metadata.yaml')
    if metadata is None:
        raise BagError(
            'the sample recording was not found; it ships only with the source code; '
            'give another recording with --bag BAG'
        )
    path = metadata.parent
    working = Path.cwd()
    return path.relative_to(working) if path.is_relative_to(working) else path
