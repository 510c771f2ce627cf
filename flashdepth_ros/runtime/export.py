"""`flashdepth export`: write a network to an ONNX file, checked against PyTorch."""

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from flashdepth_ros import __version__
from flashdepth_ros.errors import ConfigError, ExportError
from flashdepth_ros.network import PRESETS, ModelConfig, Network, create_model, load_weights
from flashdepth_ros.network.checkpoint import metadata
from flashdepth_ros.network.config import check_size
from flashdepth_ros.runtime.benchmark import parse_size
from flashdepth_ros.runtime.engines.exported_model import FORMAT, SUFFIX
from flashdepth_ros.runtime.measurement import random_frame
from flashdepth_ros.runtime.preprocess import MEAN, STD
from flashdepth_ros.runtime.weights import file_sha256, find_weights, present_weights

LIMITS = {'fp32': 1e-4, 'fp16': 1e-2}
"""Greatest mean difference from PyTorch in float32 of a frame, divided by its mean."""
_FRAMES = 20
_RESET = 12
"""Index of the frame before which the compared stream starts anew."""
_NEEDED = ('onnx', 'onnxscript', 'onnxruntime')


@dataclass(frozen=True)
class Target:
    """What a network is exported for."""

    size: tuple[int, int]
    """Width and height of the frames, px."""
    precision: str
    batch: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `run`."""
    parser.add_argument('model', metavar='MODEL', choices=tuple(PRESETS), help='name of a preset')
    parser.add_argument(
        '-o', '--output', type=Path, required=True, metavar='FILE.onnx', help='the file to write'
    )
    parser.add_argument(
        '--size', required=True, metavar='WxH', help='of the network input, px, multiples of 14'
    )
    parser.add_argument(
        '--precision', choices=tuple(LIMITS), default='fp32', help='(default fp32)'
    )
    parser.add_argument(
        '--batch', type=int, default=1, metavar='N', help='number of streams (default 1)'
    )
    parser.add_argument('--overwrite', action='store_true', help='replace an existing file')
    parser.add_argument(
        '--weights', default='', help="a .pth or .safetensors file (default: the preset's)"
    )


def run(arguments: argparse.Namespace) -> int:
    """
    Write the file and print what it contains.

    :raises ConfigError: the options cannot be combined, or a package is missing.
    :raises CheckpointError: the weights cannot be found or read, or do not fit the model.
    :raises ExportError: the network cannot be exported, or the file not be written.
    """
    target = _target(arguments)
    weights = Path(arguments.weights or find_weights(PRESETS[arguments.model]))
    width, height = target.size
    _say(f'exporting {arguments.model} from {weights} for {width}x{height}')
    notes = export(arguments.model, weights, target, arguments.output)
    size = arguments.output.stat().st_size
    sys.stdout.write(f'{arguments.output}: {size / 1e6:.1f} MB, deviation {notes["deviation"]}\n')
    return 0


def _target(arguments: argparse.Namespace) -> Target:
    width, height = parse_size(arguments.size)
    check_size(width, height)
    if arguments.batch < 1:
        raise ConfigError(f'--batch {arguments.batch}; expected 1 or more')
    output = arguments.output
    if output.suffix != SUFFIX:
        raise ConfigError(f'{output}: the name of the output must end in {SUFFIX}')
    if not output.parent.is_dir():
        raise ConfigError(f'{output}: there is no folder {output.parent}')
    if output.exists() and not arguments.overwrite:
        raise ConfigError(f'{output}: already exists; give another name, or use --overwrite')
    return Target((width, height), arguments.precision, arguments.batch)


def export(name: str, weights: Path, target: Target, path: Path) -> dict[str, str]:
    """
    Export a preset with weights to an ONNX file; the file appears after the check.

    :return: the metadata of the file.
    :raises ExportError: as for `run`.
    """
    if missing := [package for package in _NEEDED if find_spec(package) is None]:
        raise ConfigError(f'export needs {" and ".join(missing)}: pip install {" ".join(missing)}')
    import onnx

    reference, model = create_model(name), create_model(name)
    for each in (reference, model):
        load_weights(each, weights)
    proto = _graph(model, target)
    notes = describe(model.config, weights, target)
    partial = path.with_name(f'{path.name}.partial')
    with _removed_after(partial):
        onnx.helper.set_model_props(proto, notes)
        _write(proto, partial)
        _say(f'comparing {_FRAMES} frames with PyTorch')
        notes['deviation'] = f'{compare(reference, partial, target):.1e}'
        onnx.helper.set_model_props(proto, notes)
        _write(proto, partial)
        partial.replace(path)
    return notes


def _graph(model: Network, target: Target) -> Any:
    """Return the checked graph."""
    import onnx

    from flashdepth_ros.runtime.engines.onnx_graph import to_onnx

    width, height = target.size
    shape = (target.batch, 1, 3, height, width)
    try:
        proto = to_onnx(model, shape, target.precision, complete=True)
        onnx.checker.check_model(proto, full_check=True)
    except Exception as error:  # of any type, from the exporter's many layers
        reason = str(error).strip().partition('\n')[0]
        raise ExportError(
            f'torch {torch.__version__} cannot export {model.config.name} '
            f'({type(error).__name__}: {reason}); tested is the version in constraints.txt'
        ) from error
    proto.producer_name, proto.producer_version = 'flashdepth_ros', __version__
    proto.graph.name = model.config.name
    return proto


def describe(config: ModelConfig, weights: Path, target: Target) -> dict[str, str]:
    """Return the metadata of an exported model, which doc/models.md explains."""
    width, height = target.size
    known = metadata(weights)
    purpose = config.purpose if weights == present_weights(config) else ''
    return {
        'format': FORMAT,
        'preset': config.name,
        'size': f'{width}x{height}',
        'batch': str(target.batch),
        'precision': target.precision,
        'mean': ' '.join(map(str, MEAN)),
        'std': ' '.join(map(str, STD)),
        'unit': '1/m' if config.metric else 'none',
        'canonical_focal': str(config.canonical_focal),
        'purpose': known.get('purpose', purpose),
        'license': known.get('license', config.weights_license),
        'origin': known.get('origin', weights.name),
        'weights_sha256': file_sha256(weights),
    }


def compare(reference: Network, path: Path, target: Target) -> float:
    """
    Return how much an exported model deviates from PyTorch, over a stream with a reset.

    :raises ExportError: by more than the limit of its precision.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    width, height = target.size
    torch.manual_seed(0)
    worst, state, parts = 0.0, None, _zeros(session)
    for index in range(_FRAMES):
        frames = torch.cat([random_frame(height, width) for _ in range(target.batch)])
        if index == _RESET:
            state, parts = None, _zeros(session)
        with torch.inference_mode():
            expected, state = reference(frames, state)
        found, *after = session.run(None, {'frames': frames.numpy(), **parts})
        parts = dict(zip(parts, after, strict=True))
        worst = max(worst, _deviation(found, expected))
    if not worst <= LIMITS[target.precision]:
        raise ExportError(
            f'the exported {reference.config.name} deviates from PyTorch by {worst:.1e} in '
            f'{target.precision}, at most {LIMITS[target.precision]:.0e} is allowed: no file is '
            'written'
        )
    return worst


def _zeros(session: Any) -> Mapping[str, npt.NDArray[Any]]:
    """Return the state of new sequences, by the names of the inputs."""
    types = {'float': np.float32, 'float16': np.float16, 'int64': np.int64}
    return {
        each.name: np.zeros(each.shape, types[each.type.removeprefix('tensor(').rstrip(')')])
        for each in session.get_inputs()[1:]
    }


def _deviation(found: Any, expected: Tensor) -> float:
    mean = float(expected.mean())
    difference = float((torch.from_numpy(found) - expected).abs().mean())
    return difference / mean if mean else difference


def _write(proto: Any, path: Path) -> None:
    try:
        path.write_bytes(proto.SerializeToString())
    except (OSError, ValueError) as error:  # ValueError: beyond the 2 GB of protobuf
        reason = getattr(error, 'strerror', None) or error
        raise ExportError(f'{path}: cannot be written: {reason}') from error


@contextmanager
def _removed_after(partial: Path) -> Iterator[None]:
    """Remove a partial file at the end, unless it has been renamed."""
    try:
        yield
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _say(text: str) -> None:
    sys.stderr.write(f'{text}\n')
