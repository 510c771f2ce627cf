"""Errors of a GPU after which a process cannot use it any more."""

_LOST = (
    *('illegal memory access', 'device-side assert', 'unspecified launch failure'),
    *('misaligned address', 'illegal instruction', 'hardware stack error', 'uncorrectable ECC'),
    *('illegal address space', 'invalid program counter', 'GPU is lost', 'fallen off the bus'),
)
"""Parts of CUDA's texts of the errors that every later call of the process returns, too."""


def is_device_lost(error: BaseException) -> bool:
    """Return whether only a new process can use the GPU again, as PyTorch reports it."""
    text = str(error)
    return isinstance(error, RuntimeError) and 'CUDA' in text and any(p in text for p in _LOST)
