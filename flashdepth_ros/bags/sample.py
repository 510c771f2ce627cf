"""The recording that ships with the package."""

from pathlib import Path

from flashdepth_ros.errors import BagError
from flashdepth_ros.shipped import shipped_file


def sample_recording() -> Path:
    """
    Return the recording that ships with the package.

    :raises BagError: it is not there; an installed package leaves it out.
    """
    metadata = shipped_file('recordings/sample', 'metadata.yaml')
    if metadata is None:
        raise BagError(
            'the sample recording is not here, it ships with the sources alone; '
            'give another one with --bag BAG'
        )
    path = metadata.parent
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
