"""Write the depth of a recording: read, estimate and write frames in concurrent threads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
import sys

from tqdm import tqdm

from flashdepth_ros.bags.find import PREDICTED
from flashdepth_ros.bags.frames import Frame, Frames, estimate_frames
from flashdepth_ros.bags.inference.depth_bag import DepthBagWriter, OutputTopics
from flashdepth_ros.bags.inference.provenance import provenance
from flashdepth_ros.bags.inference.topic_copier import TopicCopier
from flashdepth_ros.bags.prefetch import prefetch
from flashdepth_ros.bags.reader import BagReader
from flashdepth_ros.bags.scale import RecordedScale, is_scaled
from flashdepth_ros.bags.writer import BagWriter, Storage
from flashdepth_ros.errors import BagError, ConfigError, FlashDepthError
from flashdepth_ros.interruption import Interruption
from flashdepth_ros.network.presets import preset
from flashdepth_ros.runtime import DepthFrame
from flashdepth_ros.runtime.options import option_name
from flashdepth_ros.runtime.scale import Scale, ScaleSettings
from flashdepth_ros.runtime.settings import create_estimator, ineffective_settings, missing_metres
from flashdepth_ros.runtime.windows import check_windows

WRITE_QUEUE_MAX = 2
"""Maximum number of estimated frames that wait to be written."""
INTERRUPTED = 'interrupted'


@dataclass(frozen=True)
class InferOptions:
    """
    The recording to read, the settings of the estimator, and the bag to write.

    :param windows: estimate in windows, not as the live node.
    :param scale_from: the topic that the scale is fitted to; '': see `scale.source`.
    :param image: the image topic; '': the only one in the bag.
    :param camera_info: its topic; '': the one whose name is closest to the image topic's name.
    :param copy_topics: the original topics to copy; empty: all; None: none.
    """

    bag: Path
    output: Path
    settings: ScaleSettings = field(default_factory=ScaleSettings)
    windows: bool = False
    scale_from: str = ''
    image: str = ''
    camera_info: str = ''
    outputs: OutputTopics = field(default_factory=OutputTopics)
    copy_topics: tuple[str, ...] | None = None
    storage: Storage = 'mcap'
    compress: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Reject an output that is the input bag."""
        if self.output.resolve() == self.bag.resolve():
            raise ConfigError(f'{self.output}: is the input bag; give another output name')


@dataclass
class Outcome:
    """The number of frames that were written, and why the run stopped."""

    frames: int
    done: int = 0
    skipped: int = 0
    resets: Counter[str] = field(default_factory=Counter)
    stopped: str = ''
    """The reason why the run ended early; '': all frames were processed."""
    seconds: float = 0.0
    unscaled: int = 0
    """Frames before the first scale of a relative model, which have no metres."""
    scale: Scale | None = None
    """The last fitted scale."""

    def add(self, depth: DepthFrame) -> None:
        """Count a written frame."""
        self.done += 1
        if depth.reset_reason:
            self.resets[depth.reset_reason] += 1


def infer(
    options: InferOptions, on_frame: Callable[[DepthFrame], None] = lambda _: None
) -> Outcome:
    """
    Write the depth of a recording; after an error, keep the frames before it.

    SIGTERM and Ctrl-C stop the run after the current frame. If the process dies, no bag is left.

    :param on_frame: called with every frame's depth after it is written.
    :raises BagError: no frame could be processed, or the new bag cannot be written; no bag is
        left.
    :raises ConfigError: a relative model has no scale for depth in metres, or the model has no
        windows.
    :raises KeyboardInterrupt: interrupted before the first frame was written.
    """
    if options.windows:
        check_windows(preset(options.settings.model), options.settings.temporal)
    scaled = is_scaled(options.settings, options.scale_from)
    if not scaled and (reason := missing_metres(options.settings, option_name)):
        raise ConfigError(reason)
    if warning := ineffective_settings(options.settings, option_name):
        _warn(warning)
    with ExitStack() as stack:
        frames = Frames(
            stack.enter_context(BagReader(options.bag)),
            options.image,
            options.camera_info,
            _warn,
            options.settings.image_bits,
            options.settings.camera_rectified,
        )
        target = stack.enter_context(
            BagWriter(options.output, options.storage, options.compress, options.overwrite)
        )
        run = _Run(options, frames, target, stack)
        run.process(on_frame)
        outcome = run.outcome
        if not outcome.done and outcome.stopped == INTERRUPTED:
            raise KeyboardInterrupt
        if not outcome.done:
            no_frames = f'{options.bag}: no valid frame on {frames.image}'
            raise BagError(outcome.stopped or no_frames)
        run.write_metadata()
    return outcome


class _Run:
    """One pass over the frames of a recording, with all files open."""

    def __init__(
        self, options: InferOptions, frames: Frames, target: BagWriter, stack: ExitStack
    ) -> None:
        self._options, self._frames, self._target = options, frames, target
        self._copier = None
        if options.copy_topics is not None:
            source = stack.enter_context(BagReader(options.bag))
            self._check_topic_names(source, options.copy_topics)
            self._copier = TopicCopier(source, target, options.copy_topics, _warn)
        self._scale: RecordedScale | None = None
        if is_scaled(options.settings, options.scale_from) and not options.outputs.relative:
            source = stack.enter_context(BagReader(options.bag))
            self._scale = RecordedScale(source, options.settings, options.scale_from)
        self._depths = DepthBagWriter(target, options.outputs, options.settings)
        self._provenance: dict[str, str] = {}
        self._interruption = Interruption()
        self.outcome = Outcome(len(frames))

    def process(self, on_frame: Callable[[DepthFrame], None]) -> None:
        """Write all frames, or those before an interruption or an error."""
        outcome, frames = self.outcome, self._frames
        bar = tqdm(total=len(frames), unit='frame', file=sys.stderr, dynamic_ncols=True)
        with self._interruption as interruption, bar:
            try:
                for depth in self._write_frames():
                    outcome.add(depth)
                    on_frame(depth)
                    bar.update(outcome.done + frames.skipped - bar.n)
                    if interruption.requested:
                        break
                if self._copier is not None:
                    self._copier.copy_rest(self._is_interrupted)
                outcome.stopped = INTERRUPTED if interruption.requested else ''
            except FlashDepthError as error:
                outcome.stopped = str(error)
            bar.update(outcome.done + frames.skipped - bar.n)
            outcome.seconds = bar.format_dict['elapsed']
        if self._scale is not None:
            outcome.scale = self._scale.online.status.scale
            if problem := self._scale.problem:
                _warn(problem)
                outcome.stopped = outcome.stopped or ('' if outcome.done else problem)
        outcome.skipped = frames.skipped

    def write_metadata(self) -> None:
        """Store the provenance and the result of the run in the metadata of the new bag."""
        result = {
            'image': self._frames.image.name,
            PREDICTED: self._options.outputs.predicted,
            'frames': f'{self.outcome.done} of {self.outcome.frames}',
            'stopped': self.outcome.stopped,
        }
        if self._scale is not None:
            result['scale.source'] = self._scale.settings.scale_source
            result['scale_from'] = self._scale.name
        for key, value in (self._provenance | result).items():
            self._target.set_custom_data(key, value)

    def _write_frames(self) -> Iterator[DepthFrame]:
        """Write each frame after the topics to copy that were recorded before; yield its depth."""
        with closing(prefetch(self._estimate_frames(), WRITE_QUEUE_MAX)) as depths:
            for frame, depth in depths:
                if self._copier is not None:
                    self._copier.copy_until(frame.recorded_ns)
                if self._scale is None:
                    self._depths.write(frame, depth)
                elif scale := self._scale.observe(frame, depth).scale:
                    self._depths.write(frame, depth, scale)
                else:
                    self.outcome.unscaled += 1
                    continue
                yield depth

    def _estimate_frames(self) -> Iterator[tuple[Frame, DepthFrame]]:
        # Load the model in the thread that runs it. OpenMP creates a thread team for each calling
        # thread; when all teams together have more threads than cores, idle threads sleep instead
        # of spinning, which is slower.
        settings, windows = self._options.settings, self._options.windows
        estimator = create_estimator(settings, windows)
        self._provenance = provenance(settings, estimator)
        if windows:
            self._provenance['window'] = 'True'
        yield from estimate_frames(self._frames, estimator, windows, self._is_interrupted)

    def _is_interrupted(self) -> bool:
        return self._interruption.requested

    def _check_topic_names(self, source: BagReader, names: tuple[str, ...]) -> None:
        topics = [source.topic(name) for name in names] or source.topics
        copied = {f'/{topic.name.lstrip("/")}' for topic in topics}
        if conflicts := sorted(copied & set(self._options.outputs.types)):
            raise ConfigError(
                f'{source.path}: already has the topic {conflicts[0]}; give --namespace NAME for '
                'the new topics, or list the topics to copy'
            )


def _warn(text: str) -> None:
    tqdm.write(text, file=sys.stderr)
