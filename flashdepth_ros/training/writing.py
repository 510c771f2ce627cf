"""Create folders and write files; what prevents it is an error with the way out."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

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


@contextmanager
def writing(path: Path, partial: Path | None = None) -> Iterator[None]:
    """
    Report what prevents that the block writes `path`, and remove `partial` then.

    :raises ConfigError: it cannot be written.
    """
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:  # RuntimeError: of torch.save
        if partial:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
        reason = getattr(error, 'strerror', None) or str(error).partition('\n')[0]
        raise ConfigError(
            f'{path}: cannot be written: {reason}; give an output in which you may write and that '
            'has space'
        ) from error
