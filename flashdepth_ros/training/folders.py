"""Create the folders that a command writes to."""

from pathlib import Path

from flashdepth_ros.errors import ConfigError


def make_folder(folder: Path) -> None:
    """
    Create a folder and those above it, unless it exists.

    :raises ConfigError: it is a file, or cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise ConfigError(
            f'output {folder}: is no folder; give the name of a folder, or move the file away'
        ) from error
    except OSError as error:
        raise ConfigError(
            f'output {folder}: cannot be created: {error.strerror or error}; give a folder in '
            'which you may write'
        ) from error
