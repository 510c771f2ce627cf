"""The names of engines and precisions, and what a user requests of them."""

from dataclasses import dataclass

from flashdepth_ros.errors import ConfigError

ENGINES = ('auto', 'torch', 'torch_compile', 'openvino', 'onnxruntime')
PRECISIONS = ('fp32', 'bf16', 'fp16', 'int8')


@dataclass(frozen=True)
class EngineChoice:
    """The requested device, precision and engine; each is 'auto' or a name."""

    device: str = 'auto'
    precision: str = 'auto'
    engine: str = 'auto'

    def check_names(self) -> None:
        """
        Check that engine and precision are known.

        :raises ConfigError: one is not; the message lists the known ones.
        """
        for kind, name, known in (
            ('engine', self.engine, ENGINES),
            ('precision', self.precision, ('auto', *PRECISIONS)),
        ):
            if name not in known:
                raise ConfigError(f'unknown {kind} {name!r}; expected one of {", ".join(known)}')
