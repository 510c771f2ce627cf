"""A full disk, simulated."""

from contextlib import contextmanager
import resource


@contextmanager
def file_size_limit(size):
    """Limit the size of the files that this process writes, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
