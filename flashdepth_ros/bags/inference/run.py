"""From a recording to its depth: read, estimated and written frame by frame, side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
import sys

from tqdm import tqdm

from flashdepth_ros.bags.frames import Frame, Frames, estimated
from flashdepth_ros.bags.inference.depth_bag import DepthBag, OutputChoice
from flashdepth_ros.bags.inference.originals import Originals
from flashdepth_ros.bags.inference.provenance import provenance
from flashdepth_ros.bags.prefetch import prefetched
from flashdepth_ros.bags.reader import BagReader
from flashdepth_ros.bags.writer import BagWriter, Storage
from flashdepth_ros.errors import BagError, ConfigError, FlashDepthError
from flashdepth_ros.interruption import Interruption
from flashdepth_ros.runtime import DepthFrame
from flashdepth_ros.runtime.settings import Settings, create_estimator

BEHIND = 2
"""So many estimated frames wait at most to be written."""
INTERRUPTED = 'interrupted'


@dataclass(frozen=True)
class InferOptions:
    """
    What to infer from, with what, and where to.

    :param copied: the topics to copy beside the new ones, empty for all; None: none.
    """

    bag: Path
    output: Path
    settings: Settings = field(default_factory=Settings)
    image: str = ''
    camera_info: str = ''
    choice: OutputChoice = field(default_factory=OutputChoice)
    copied: tuple[str, ...] | None = None
    storage: Storage = 'mcap'
    compress: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Refuse to write over what is read."""
        if self.output.resolve() == self.bag.resolve():
            raise ConfigError(f'{self.output}: is what is read; give another name to write to')


@dataclass
class Outcome:
    """What became of the frames of a recording."""

    frames: int
    done: int = 0
    skipped: int = 0
    resets: Counter[str] = field(default_factory=Counter)
    stopped: str = ''
    """Why not all frames were done; empty where they were."""
    seconds: float = 0.0

    def add(self, depth: DepthFrame) -> None:
        """Count a frame that is written."""
        self.done += 1
        if depth.reset_reason:
            self.resets[depth.reset_reason] += 1


def infer(options: InferOptions, watch: Callable[[DepthFrame], None] = lambda _: None) -> Outcome:
    """
    Write the depth of a recording; where something stops it, of the frames before that.

    SIGTERM and Ctrl-C stop it behind the frame at hand. A process that dies leaves no bag.

    :param watch: called with every frame's depth when it is written.
    :raises BagError: not one frame could be done, or the new bag cannot be written; none is left.
    :raises KeyboardInterrupt: interrupted before the first frame.
    """
    with ExitStack() as stack:
        frames = Frames(
            stack.enter_context(BagReader(options.bag)),
            options.image,
            options.camera_info,
            _warn,
        )
        target = stack.enter_context(
            BagWriter(options.output, options.storage, options.compress, options.overwrite)
        )
        run = _Run(options, frames, target, stack)
        run.go(watch)
        outcome = run.outcome
        if not outcome.done and outcome.stopped == INTERRUPTED:
            raise KeyboardInterrupt
        if not outcome.done:
            nothing = f'{options.bag}: no frame of {frames.image} can be used'
            raise BagError(outcome.stopped or nothing)
        run.note()
    return outcome


class _Run:
    """One pass over the frames of a recording, all files open."""

    def __init__(
        self, options: InferOptions, frames: Frames, target: BagWriter, stack: ExitStack
    ) -> None:
        self._options, self._frames, self._target = options, frames, target
        self._originals = None
        if options.copied is not None:
            source = stack.enter_context(BagReader(options.bag))
            self._refuse_clash(source, options.copied)
            self._originals = Originals(source, target, options.copied)
        if options.choice.points and frames.camera_info is None:
            _warn(f'{options.bag}: no camera_info, so no camera_info of depth and no points')
        self._depths = DepthBag(target, options.choice, options.settings)
        self._provenance: dict[str, str] = {}
        self.outcome = Outcome(len(frames))

    def go(self, watch: Callable[[DepthFrame], None]) -> None:
        """Write frame after frame, until all are or something stops it."""
        outcome, frames = self.outcome, self._frames
        bar = tqdm(total=len(frames), unit='frame', file=sys.stderr, dynamic_ncols=True)
        with Interruption() as interruption, bar:
            try:
                for depth in self._written():
                    outcome.add(depth)
                    watch(depth)
                    bar.update(outcome.done + frames.skipped - bar.n)
                    if interruption.requested:
                        break
                if self._originals is not None:
                    self._originals.copy_rest(lambda: interruption.requested)
                outcome.stopped = INTERRUPTED if interruption.requested else ''
            except FlashDepthError as error:
                outcome.stopped = str(error)
            bar.update(outcome.done + frames.skipped - bar.n)
            outcome.seconds = bar.format_dict['elapsed']
        outcome.skipped = frames.skipped

    def note(self) -> None:
        """Keep in the new bag how it came about."""
        notes = {
            'image': self._frames.image.name,
            'frames': f'{self.outcome.done} of {self.outcome.frames}',
            'stopped': self.outcome.stopped,
        }
        for key, value in (self._provenance | notes).items():
            self._target.note(key, value)

    def _written(self) -> Iterator[DepthFrame]:
        """Yield every frame's depth when it is written, with what was recorded before it."""
        with closing(prefetched(self._estimated(), BEHIND)) as depths:
            for frame, depth in depths:
                if self._originals is not None:
                    self._originals.copy_until(frame.recorded_ns)
                self._depths.write(frame, depth)
                yield depth

    def _estimated(self) -> Iterator[tuple[Frame, DepthFrame]]:
        # The model is loaded in the very thread that runs it: OpenMP gives every calling thread
        # its own team, and where all teams together outnumber the cores they wait asleep.
        settings = self._options.settings
        estimator = create_estimator(settings)
        self._provenance = provenance(settings, estimator)
        yield from estimated(self._frames, estimator)

    def _refuse_clash(self, source: BagReader, names: tuple[str, ...]) -> None:
        topics = [source.topic(name) for name in names] or source.topics
        taken = {f'/{topic.name.lstrip("/")}' for topic in topics}
        if clash := sorted(taken & set(self._options.choice.topics)):
            raise ConfigError(
                f'{source.path}: has {clash[0]} itself; give --namespace NAME to tell them apart, '
                'or name the topics to copy'
            )


def _warn(text: str) -> None:
    tqdm.write(text, file=sys.stderr)
