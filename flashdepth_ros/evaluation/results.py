"""Results of an evaluation: plain values, to be sent between processes and written to files."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from flashdepth_ros.evaluation.alignment import Fit
from flashdepth_ros.presentation import DepthRange

UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Metric:
    """A metric of a frame or a sequence: its key in files, its name, and its unit."""

    key: str
    label: str
    unit: str = ''
    larger_is_better: bool = False

    def format(self, value: float) -> str:
        """Return the value as text for the report, without the unit."""
        if not np.isfinite(value):
            return 'n/a'
        return f'{100 * value:.2f}' if self.unit == '%' else f'{value:.3f}'


DRIFT = Metric('scale_drift', 'scale drift', '%')
"""Metric of a sequence; the alignments of a whole sequence do not change it."""

METRICS = (
    Metric('abs_rel', 'AbsRel'),
    Metric('delta1', 'δ1', larger_is_better=True),
    Metric('delta2', 'δ2', larger_is_better=True),
    Metric('delta3', 'δ3', larger_is_better=True),
    Metric('rmse', 'RMSE', 'm'),
    Metric('order', 'order', larger_is_better=True),
    Metric('boundary_f1', 'boundary F1', larger_is_better=True),
    Metric('tae', 'TAE', '%'),
    Metric('flicker', 'flicker', '%'),
)
"""Metrics of every frame under every alignment; a sequence has the mean over its frames."""

STAGES = ('preprocess_ms', 'inference_ms', 'postprocess_ms')


@dataclass
class FrameResult:
    """One frame of a candidate; it has scores if it has ground truth."""

    place: int
    """Of the image on its topic; it identifies the frame, because stamps may repeat."""
    stamp_ns: int
    truth_ns: int | None = None
    stages_ms: tuple[float, ...] = ()
    """Durations of a model's STAGES, in that order; empty for recorded predictions."""
    pixels: int = 0
    """Number of compared pixels: true depth within the limits, and a predicted depth."""
    own_scale: float = np.nan
    """Least-squares scale of this frame alone."""
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    """By alignment and metric."""
    name: str = ''
    """Of a still image."""

    @property
    def total_ms(self) -> float:
        """Return the latency of the frame; NaN for recorded predictions."""
        return sum(self.stages_ms) if self.stages_ms else np.nan


@dataclass
class RangeErrors:
    """Sums over pixels, by range of true depth: pixels, relative errors, pixels within 1.25."""

    edges_m: tuple[float, ...]
    pixels: npt.NDArray[np.float64]
    error: npt.NDArray[np.float64]
    within: npt.NDArray[np.float64]

    @staticmethod
    def empty(edges_m: tuple[float, ...]) -> RangeErrors:
        """Return the sums over no pixels."""
        return RangeErrors(edges_m, *(np.zeros(len(edges_m) - 1) for _ in range(3)))

    @property
    def abs_rel(self) -> npt.NDArray[np.float64]:
        """Return the mean relative error in each range; NaN for a range without pixels."""
        return self.error / np.where(self.pixels > 0, self.pixels, np.nan)

    @property
    def delta1(self) -> npt.NDArray[np.float64]:
        """Return the fraction within a factor of 1.25, by range; NaN for one without pixels."""
        return self.within / np.where(self.pixels > 0, self.pixels, np.nan)

    def __add__(self, other: RangeErrors) -> RangeErrors:
        """Return the sums over the pixels of both."""
        return RangeErrors(
            self.edges_m,
            self.pixels + other.pixels,
            self.error + other.error,
            self.within + other.within,
        )


@dataclass(frozen=True)
class ExampleFrame:
    """A frame shown in the report; its pictures are PNG or JPEG files."""

    bag: str
    index: int
    time_s: float
    abs_rel: float
    colours: DepthRange
    """Range of the colours of depth in the pictures."""
    pictures: dict[str, bytes]
    name: str = ''
    """Of a still image, shown instead of the time."""


@dataclass
class CandidateResult:
    """One candidate on one bag."""

    label: str
    frames: list[FrameResult] = field(default_factory=list)
    relative: bool = False
    """Whether the predictions have no unit, so that nothing can be said of them as predicted."""
    fits: dict[str, Fit | None] = field(default_factory=dict)
    ranges: RangeErrors | None = None
    best: list[ExampleFrame] = field(default_factory=list)
    worst: list[ExampleFrame] = field(default_factory=list)
    time_slice: bytes = b''
    skipped: int = 0
    scale: str = ''
    """What its scale was fitted to, in words; '' if to nothing."""
    failure: str = ''
    interrupted: bool = False

    @property
    def scored(self) -> list[FrameResult]:
        """Return the frames with scores."""
        return [frame for frame in self.frames if frame.scores]


@dataclass
class BagResult:
    """All candidates on one bag."""

    bag: str
    warnings: list[str] = field(default_factory=list)
    """What a reader of the figures must know, one line each."""
    topics: dict[str, str] = field(default_factory=dict)
    images: int = 0
    pairs: int = 0
    offset_ms: float = np.nan
    """Largest time between a frame and its ground truth."""
    truth: str = ''
    """Description of the ground truth."""
    poses: str = ''
    """Source of the poses, or why there are none."""
    truth_tae: float = np.nan
    """Temporal alignment error of the ground truth itself, caused by poses and sampling."""
    slices: dict[str, bytes] = field(default_factory=dict)
    """One column over time, of the image and of the ground truth."""
    slice_s: float = 0.0
    slice_colours: DepthRange | None = None
    """Range of the colours of depth in the slices."""
    candidates: list[CandidateResult] = field(default_factory=list)
    failure: str = ''

    @property
    def interrupted(self) -> bool:
        """Return whether the user interrupted the evaluation of this bag."""
        return any(candidate.interrupted for candidate in self.candidates)

    @property
    def failures(self) -> list[str]:
        """Return the failures, one line each."""
        own = [self.failure] if self.failure else []
        return own + [f'{c.label}: {c.failure}' for c in self.candidates if c.failure]
