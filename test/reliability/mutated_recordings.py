"""
Mutated recordings against `flashdepth infer`: no death, no hang, no traceback, no bad output.

    PYTHONPATH=test .venv/bin/python -m reliability.mutated_recordings --count 10000

Every mutated recording is inferred in a process that serves many of them. A process that dies or
exceeds the time limit counts as a failure and is replaced; the recording is kept in the output
folder under its seed.
"""

import argparse
from collections import Counter
from contextlib import suppress
from functools import cache
import io
from multiprocessing import get_context
from pathlib import Path
from random import Random
import shutil
import sys
from tempfile import TemporaryDirectory
import traceback

from tqdm import tqdm

from reliability.mutations import mutate

TIME_LIMIT_S = 60.0
MODEL = ('--engine', 'torch', '--short-side', '56')


def write_originals(folder: Path) -> list[Path]:
    """Write one small recording in each format."""
    from flashdepth_ros.bags import BagReader
    from support import recording_formats
    from support.recordings import camera_messages, write

    source = write(folder / 'source', *camera_messages(6))
    with BagReader(source) as bag:
        records = list(bag.records())
    formats = recording_formats
    return [
        source,
        formats.ros2(folder / 'sqlite', records, 'SQLITE3', 'NONE'),
        formats.ros2(folder / 'messages', records, 'SQLITE3', 'MESSAGE'),
        formats.ros2(folder / 'files', records, 'MCAP', 'FILE'),
        formats.mcap_file(folder / 'zstd', records, 'ZSTD'),
        formats.mcap_file(folder / 'lz4', records, 'LZ4'),
        formats.mcap_file(folder / 'plain', records, 'NONE'),
        formats.ros1(folder / 'ros1', records, 'LZ4'),
        formats.ros1(folder / 'plain1', records, ''),
    ]


def write_mutated(original: Path, seed: int, folder: Path) -> Path:
    """Write a mutated copy of a recording; in a folder, of one of its files."""
    random = Random(seed)
    target = folder / original.name
    if original.is_dir():
        shutil.copytree(original, target)
        file = random.choice(sorted(target.iterdir()))
    else:
        shutil.copy(original, target)
        file = target
    file.write_bytes(mutate(file.read_bytes(), random))
    return target


@cache
def _estimator(settings: object) -> object:
    from flashdepth_ros.runtime.settings import create_estimator

    return create_estimator(settings)


def infer(recording: Path, output: Path) -> str:
    """Return how `flashdepth infer` ended: 'whole', 'error', or the problem it has."""
    from flashdepth_ros.bags import BagReader
    from flashdepth_ros.bags.inference import run
    from flashdepth_ros.cli import main
    from flashdepth_ros.errors import FlashDepthError

    def create(settings: object) -> object:
        estimator = _estimator(settings)
        estimator.reset()
        return estimator

    run.create_estimator = create
    stderr, sys.stderr = sys.stderr, io.StringIO()
    try:
        status = main(['infer', str(recording), '-o', str(output), '--copy', *MODEL])
        said = sys.stderr.getvalue()
    except BaseException:  # noqa: BLE001 - whatever it is, it is what is looked for
        return traceback.format_exc()
    finally:
        sys.stderr = stderr
    if 'Traceback' in said or status not in (0, 1):
        return f'status {status}: {said}'
    if status and not said.strip():
        return 'an error without a word'
    if output.exists():
        try:
            with BagReader(output) as bag:
                for record in bag.records('/depth/image'):
                    bag.message(record)
        except FlashDepthError as error:
            return f'an output that cannot be read: {error}'
    return 'error' if status else 'whole'


def serve(connection: object) -> None:
    """Infer the recordings that come through a pipe."""
    sys.stdout = io.StringIO()
    import torch

    torch.set_num_threads(1)
    with suppress(EOFError):
        while True:
            connection.send(infer(*connection.recv()))


class Server:
    """A process that infers recordings, replaced when it dies or hangs."""

    def __init__(self) -> None:
        self._context = get_context('spawn')
        self._start()

    def _start(self) -> None:
        self._ours, theirs = self._context.Pipe()
        self._process = self._context.Process(target=serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def infer(self, recording: Path, output: Path) -> str:
        """Return how inference ended."""
        self._ours.send((recording, output))
        try:
            if self._ours.poll(TIME_LIMIT_S):
                return self._ours.recv()
            problem = f'no end within {TIME_LIMIT_S:g} s'
        except EOFError:
            self._process.join()
            problem = f'the process died with status {self._process.exitcode}'
        self._process.kill()
        self._start()
        return problem


def main() -> int:
    """Run; return 1 if any recording was not handled."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n\n')[0])
    parser.add_argument('--count', type=int, default=10_000)
    parser.add_argument('--first-seed', type=int, default=0)
    parser.add_argument('--failures', type=Path, default=Path('reliability_failures'))
    arguments = parser.parse_args()
    outcomes: Counter[str] = Counter()
    with TemporaryDirectory() as folder:
        originals = write_originals(Path(folder))
        server = Server()
        seeds = range(arguments.first_seed, arguments.first_seed + arguments.count)
        for seed in tqdm(seeds, unit='recording'):
            place = Path(folder, 'mutated')
            place.mkdir()
            mutated = write_mutated(originals[seed % len(originals)], seed, place)
            outcome = server.infer(mutated, place / 'out')
            outcomes[outcome if outcome in ('whole', 'error') else 'failure'] += 1
            if outcome not in ('whole', 'error'):
                kept = arguments.failures / str(seed)
                shutil.rmtree(kept, ignore_errors=True)
                shutil.copytree(place, kept)
                tqdm.write(f'seed {seed}, {mutated.name}: {outcome}')
            shutil.rmtree(place)
    sys.stdout.write(f'{dict(outcomes)}\n')
    return 1 if outcomes['failure'] else 0


if __name__ == '__main__':
    sys.exit(main())
