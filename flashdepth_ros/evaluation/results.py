"""What comes of an evaluation: values only, so that they travel between processes and to disk."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from flashdepth_ros.evaluation.alignment import Fit

UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Metric:
    """A figure of a frame: its name in files and for people, its unit, and what is good."""

    key: str
    label: str
    unit: str = ''
    larger_is_better: bool = False
    what: str = ''

    def text(self, value: float) -> str:
        """Return the value as a report shows it."""
        if not np.isfinite(value):
            return 'n/a'
        return f'{100 * value:.2f}' if self.unit == '%' else f'{value:.3f}'


DRIFT = Metric('scale_drift', 'scale drift', '%', what="deviation of the frames' own scales")
"""Of a sequence; no alignment changes it but one by frames."""

METRICS = (
    Metric('abs_rel', 'AbsRel', what='mean relative error'),
    Metric('delta1', 'δ1', larger_is_better=True, what='share within a factor of 1.25'),
    Metric('delta2', 'δ2', larger_is_better=True, what='share within a factor of 1.25²'),
    Metric('delta3', 'δ3', larger_is_better=True, what='share within a factor of 1.25³'),
    Metric('rmse', 'RMSE', 'm', what='root of the mean squared error'),
    Metric('boundary_f1', 'boundary F1', larger_is_better=True, what='edges that agree'),
    Metric('tae', 'TAE', '%', what='relative error of depth moved to the next frame'),
    Metric('flicker', 'flicker', '%', what='relative change that the truth does not make'),
)
"""Of every frame under every alignment; a sequence has the mean over its frames."""

STAGES = ('preprocess_ms', 'inference_ms', 'postprocess_ms')


@dataclass
class FrameResult:
    """One frame of a candidate: its scores by alignment and metric where it has truth."""

    stamp_ns: int
    truth_ns: int | None = None
    stages_ms: tuple[float, ...] = ()
    """Of a model, in the order of STAGES."""
    pixels: int = 0
    """Compared: true depth within the limits, and a predicted one."""
    own_scale: float = np.nan
    """The scale that fits this frame alone."""
    scores: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def total_ms(self) -> float:
        """Return the frame's latency; NaN for predictions that were recorded."""
        return sum(self.stages_ms) if self.stages_ms else np.nan


@dataclass
class RangeErrors:
    """Errors by true depth: pixels, the sum of their relative errors, those within 1.25."""

    edges_m: tuple[float, ...]
    pixels: npt.NDArray[np.float64]
    error: npt.NDArray[np.float64]
    within: npt.NDArray[np.float64]

    @staticmethod
    def empty(edges_m: tuple[float, ...]) -> RangeErrors:
        """Return the errors of no pixels."""
        return RangeErrors(edges_m, *(np.zeros(len(edges_m) - 1) for _ in range(3)))

    @property
    def abs_rel(self) -> npt.NDArray[np.float64]:
        """Return the mean relative error in each range; NaN where no pixel lies."""
        return self.error / np.where(self.pixels > 0, self.pixels, np.nan)

    @property
    def delta1(self) -> npt.NDArray[np.float64]:
        """Return the share within a factor of 1.25 in each range; NaN where no pixel lies."""
        return self.within / np.where(self.pixels > 0, self.pixels, np.nan)

    def __add__(self, other: RangeErrors) -> RangeErrors:
        """Return the errors of both."""
        return RangeErrors(
            self.edges_m,
            self.pixels + other.pixels,
            self.error + other.error,
            self.within + other.within,
        )


@dataclass(frozen=True)
class Exhibit:
    """A frame to be shown: pictures as files of PNG or JPEG."""

    bag: str
    index: int
    time_s: float
    abs_rel: float
    pictures: dict[str, bytes]


@dataclass
class CandidateResult:
    """One candidate on one bag."""

    label: str
    frames: list[FrameResult] = field(default_factory=list)
    fits: dict[str, Fit | None] = field(default_factory=dict)
    ranges: RangeErrors | None = None
    best: list[Exhibit] = field(default_factory=list)
    worst: list[Exhibit] = field(default_factory=list)
    time_slice: bytes = b''
    skipped: int = 0
    failure: str = ''
    interrupted: bool = False

    @property
    def scored(self) -> list[FrameResult]:
        """Return the frames that have scores."""
        return [frame for frame in self.frames if frame.scores]


@dataclass
class BagResult:
    """All candidates on one bag."""

    bag: str
    topics: dict[str, str] = field(default_factory=dict)
    images: int = 0
    pairs: int = 0
    offset_ms: float = np.nan
    """Largest distance in time of a frame and its truth."""
    truth: str = ''
    """What the truth is, in words."""
    poses: str = ''
    """Where poses come from, or why there are none."""
    truth_tae: float = np.nan
    """Temporal alignment error of the truth itself: what is left to the poses and pixels."""
    slices: dict[str, bytes] = field(default_factory=dict)
    """One column over time of the image and of the truth."""
    slice_s: float = 0.0
    candidates: list[CandidateResult] = field(default_factory=list)
    failure: str = ''

    @property
    def interrupted(self) -> bool:
        """Tell whether the user stopped it here."""
        return any(candidate.interrupted for candidate in self.candidates)

    @property
    def failures(self) -> list[str]:
        """Return what went wrong, a line each."""
        own = [self.failure] if self.failure else []
        return own + [f'{c.label}: {c.failure}' for c in self.candidates if c.failure]
