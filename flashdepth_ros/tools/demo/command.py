"""Play a recording through a depth node and write its outputs to files: `flashdepth demo`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
import os
from pathlib import Path
import sys
from tempfile import TemporaryDirectory
import time

from tqdm import tqdm

from flashdepth_ros.bags import BagWriter
from flashdepth_ros.bags.sample import sample_recording
from flashdepth_ros.bags.video import VideoOptions, record_video
from flashdepth_ros.errors import ConfigError, FlashDepthError
from flashdepth_ros.network.presets import DEFAULT_MODEL
from flashdepth_ros.ros.environment import log_environment, transport_environment
from flashdepth_ros.ros.processes import Process
from flashdepth_ros.tools.demo.node_options import NodeOptions
from flashdepth_ros.tools.demo.recorder import Recorder
from flashdepth_ros.tools.demo.report import Played, write_report
from flashdepth_ros.tools.demo.source import Source, open_source

START_S = 180.0
PLAYER_WAIT_S = 20.0
OUTPUT_TIMEOUT_S = 5.0
"""How long to wait for further outputs after the whole recording was played."""
POLL_S = 0.05


def graph_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with a private ROS graph, unless the user has configured one."""
    return {
        'ROS_DOMAIN_ID': str(os.getpid() % 100 + 1),
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        **transport_environment(environment),
        **log_environment(environment),
        **environment,
    }


def play_to_node(source: Source, rate: float, options: NodeOptions, folder: Path) -> Path:
    """
    Play a recording to a depth node and return the bag of the node's outputs.

    :param folder: for that bag and for the logs of the processes.
    :raises FlashDepthError: a process failed; the text gives its last lines.
    """
    recorded = folder / 'recorded'
    depth_node = _process('depth_node', ['node', *options.arguments(source.inputs)], folder)
    player = _process('player', ['cli', 'play', *_player_arguments(source, rate)], folder)
    with (
        BagWriter(recorded) as bag,
        Recorder(bag, depth=source.true_depth is not None) as recorder,
        depth_node,
    ):
        _await_active(recorder, depth_node, options)
        with player:
            _record(recorder, source, depth_node, player)
    return recorded


def _process(name: str, call: list[str], folder: Path) -> Process:
    """Return a process that runs a module of this package with arguments."""
    module, *arguments = call
    command = [sys.executable, '-m', f'flashdepth_ros.{module}', *arguments]
    return Process(name, command, os.environ, folder / f'{name}.log')


def _player_arguments(source: Source, rate: float) -> list[str]:
    options = ['--rate', str(rate), '--wait', str(PLAYER_WAIT_S), '--topics', *source.inputs.names]
    rules = source.inputs.remap_rules
    return [str(source.bag), *options, *(['--remap', *rules] if rules else [])]


def _await_active(recorder: Recorder, depth_node: Process, options: NodeOptions) -> None:
    _log(f'loading {options.model} into the depth node ...')
    end_s = time.monotonic() + START_S
    while not recorder.depth_node_is_active():
        depth_node.check_alive()
        if time.monotonic() > end_s:
            output = depth_node.last_lines()
            raise FlashDepthError(f'depth_node is not active after {START_S:g} s: {output}')


def _record(recorder: Recorder, source: Source, depth_node: Process, player: Process) -> None:
    """Record until the outputs of all images and the node's drop counts are received."""
    numbers = {stamp: number for number, stamp in enumerate(source.stamps_ns, start=1)}
    _log(f'playing {len(numbers)} images -> DDS -> depth_node -> recorder')
    with tqdm(total=len(numbers), unit='frame', file=sys.stderr, dynamic_ncols=True) as bar:
        while not _is_finished(recorder, source, player):
            depth_node.check_alive()
            recorder.spin(POLL_S)
            last = recorder.stamps_ns[-1] if recorder.stamps_ns else None
            bar.update(numbers.get(last or 0, bar.n) - bar.n)
            bar.set_postfix_str(f'{len(recorder.stamps_ns)} processed', refresh=False)
            if 2 * bar.n >= len(numbers):
                recorder.record_cloud()


def _is_finished(recorder: Recorder, source: Source, player: Process) -> bool:
    if not player.has_ended():
        return False
    last = source.stamps_ns[-1]
    is_last = recorder.stamps_ns[-1:] == [last]
    # Several images may have the stamp of the last one.
    is_last = is_last and recorder.stamps_ns.count(last) >= source.stamps_ns.count(last)
    if is_last and recorder.is_complete:
        return True
    return time.monotonic() - recorder.last_output_s > OUTPUT_TIMEOUT_S


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that `run` reads."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument('--bag', type=Path, help='recording to play (default: the sample)')
    source.add_argument(
        '--video', type=Path, help='video to play instead; any file that OpenCV reads'
    )
    parser.add_argument(
        '--topic', default='', help='image topic, raw or compressed; needed if there are several'
    )
    parser.add_argument(
        '--fov',
        type=float,
        default=70.0,
        metavar='DEG',
        help='horizontal field of view of --video (default 70)',
    )
    parser.add_argument(
        '--frames',
        type=int,
        default=300,
        metavar='N',
        help='maximum number of frames of --video (default 300)',
    )
    parser.add_argument('--rate', type=float, default=1.0, help='speed factor (default 1)')
    parser.add_argument(
        '-o',
        '--output',
        type=Path,
        default=Path('demo_output'),
        help='output folder (default demo_output)',
    )
    _add_node_arguments(parser)


def _add_node_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--model', default=DEFAULT_MODEL, help=f'preset (default {DEFAULT_MODEL})')
    parser.add_argument('--weights', default='', help="checkpoint (default: the preset's own)")
    parser.add_argument('--device', default='auto', help='cpu, cuda, cuda:N (default auto)')
    parser.add_argument(
        '--short-side',
        type=int,
        default=0,
        metavar='PX',
        help="short side of the network's input (default: the preset's own)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the demo and return 0."""
    if not arguments.rate > 0:
        raise ConfigError(f'rate {arguments.rate} is not possible; give a factor above 0')
    options = NodeOptions(
        arguments.model, arguments.weights, arguments.device, arguments.short_side
    )
    output: Path = arguments.output
    # The middleware reads its settings from the environment, here and in the child processes.
    os.environ.update(graph_environment(os.environ))
    with _scratch_folder(output) as folder:
        played = _open_input(arguments, options.purpose, folder)
        recorded = play_to_node(played.source, played.rate, options, folder)
        _log('writing the results ...')
        summary = write_report(played, recorded, output)
    (output / 'summary.txt').write_text(f'{summary}\n', encoding='utf-8')
    sys.stdout.write(f'\n{summary}\n')
    return 0


def _open_input(arguments: argparse.Namespace, purpose: str, folder: Path) -> Played:
    path: Path | None = arguments.bag
    notes: tuple[str, ...] = ()
    if arguments.video is not None:
        _log(f'reading {arguments.video} ...')
        path = folder / 'video'
        record_video(VideoOptions(arguments.video, arguments.fov, arguments.frames), path)
        notes = (f'the cloud assumes a horizontal field of view of {arguments.fov:g} degrees',)
    source = open_source(path or sample_recording(), arguments.topic)
    title = f'{arguments.video or source.bag}, speed factor {arguments.rate:g}'
    return Played(title, source, arguments.rate, purpose, notes)


@contextmanager
def _scratch_folder(output: Path) -> Iterator[Path]:
    """Create the output folder, and in it a folder that is deleted after the block."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        scratch = TemporaryDirectory(prefix='.demo-', dir=output)
    except OSError as error:
        raise ConfigError(
            f'{output}: cannot be used as output folder: {error.strerror}; give another --output'
        ) from error
    with scratch as name:
        yield Path(name)


def _log(text: str) -> None:
    sys.stderr.write(f'{text}\n')
    sys.stderr.flush()
