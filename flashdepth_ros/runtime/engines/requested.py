"""The names of engines and precisions, and what a user requests of them."""

from dataclasses import dataclass

from flashdepth_ros.errors import ConfigError

ENGINES = ('auto', 'torch', 'torch_compile', 'openvino', 'onnxruntime')
PRECISIONS = ('fp32', 'bf16', 'fp16', 'int8')
GPU_OPTIONS = {
    'compiled': 'blocks of encoders and fusion, and decoders, are compiled by torch.compile',
}
"""Faster ways to compute with engine `torch` on CUDA, which cost time at the start."""


@dataclass(frozen=True)
class EngineChoice:
    """The requested device, precision and engine; each is 'auto' or a name."""

    device: str = 'auto'
    precision: str = 'auto'
    engine: str = 'auto'
    options: tuple[str, ...] = ()
    """Of `GPU_OPTIONS`."""

    def check_names(self) -> None:
        """
        Check that engine, precision and options are known.

        :raises ConfigError: one is not; the message lists the known ones.
        """
        for kind, name, known in (
            ('engine', self.engine, ENGINES),
            ('precision', self.precision, ('auto', *PRECISIONS)),
            *(('GPU option', each, tuple(GPU_OPTIONS)) for each in self.options),
        ):
            if name not in known:
                raise ConfigError(f'unknown {kind} {name!r}; expected one of {", ".join(known)}')


def split_options(text: str) -> tuple[str, ...]:
    """Return the names of GPU options in a text, separated by commas."""
    return tuple(filter(None, map(str.strip, text.split(','))))
