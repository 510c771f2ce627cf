"""One stream, from RGB arrays to metric depth: engine, state and sequence policy together."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
import time

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from flashdepth_ros.errors import ConfigError
from flashdepth_ros.geometry import depth_from_inverse, times_canonical
from flashdepth_ros.network import StreamState, create_model, load_weights
from flashdepth_ros.runtime.engines import EngineChoice, create_engine
from flashdepth_ros.runtime.preprocess import (
    InferenceSize,
    Preprocessor,
    all_finite,
    check_rgb,
    download,
)
from flashdepth_ros.runtime.sequence import FrameTag, Place, ResetReason, Sequence, SequencePolicy
from flashdepth_ros.runtime.weights import find_weights

OUTPUT_SIZES = ('input', 'inference')


@dataclass(frozen=True)
class StageTimes:
    """How long the stages of one frame took, ms."""

    preprocess_ms: float
    inference_ms: float
    postprocess_ms: float


@dataclass(frozen=True)
class DepthFrame:
    """What the estimator knows after one frame."""

    inverse_depth: npt.NDArray[np.float32]
    """(H, W) in 1/m, 0 = infinitely far, NaN where the network failed."""
    place: Place
    times: StageTimes

    @cached_property
    def depth(self) -> npt.NDArray[np.float32]:
        """(H, W) metres along the optical axis; +Inf = no return."""
        return depth_from_inverse(self.inverse_depth)

    @property
    def sequence_id(self) -> int:
        """Number of the sequence, counted from 0."""
        return self.place.sequence_id

    @property
    def frames_since_reset(self) -> int:
        """Frames between the sequence's first and this one."""
        return self.place.frames_since_reset

    @property
    def reset_reason(self) -> str:
        """Why the sequence started with this frame; '' where it did not."""
        return self.place.reset_reason.value


class DepthEstimator:
    """
    Estimates the depth of one camera's frames, in order.

    :param model: a preset's name.
    :param weights: a `.pth` or `.safetensors` file, or a state dict; '': the preset's own.
    :param device: 'auto', 'cpu', 'cuda', 'cuda:N' or 'intel_gpu'.
    :param precision: 'auto', 'fp32', 'bf16', 'fp16' or 'int8'.
    :param engine: 'auto', 'torch', 'torch_compile' or 'openvino'.
    :param temporal: False: every frame on its own.
    :param short_side: short side of the network's input, px; 0: the preset's own.
    :param long_side_max: cap of the long side, px.
    :param output_size: 'input': depth as large as the image; 'inference': as the network's input.
    :param policy: when a new sequence starts.
    :raises ConfigError: a name or number that is not known here.
    :raises CheckpointError: the weights cannot be found, read, or do not fit.
    """

    def __init__(  # noqa: PLR0913 - the public signature, one word for each choice a user has
        self,
        model: str = 'flashdepth-tiny',
        weights: str | Path | Mapping[str, Tensor] = '',
        device: str = 'auto',
        precision: str = 'auto',
        engine: str = 'auto',
        temporal: bool = True,
        short_side: int = 0,
        *,
        long_side_max: int = 2044,
        output_size: str = 'input',
        policy: SequencePolicy | None = None,
    ) -> None:
        if output_size not in OUTPUT_SIZES:
            raise ConfigError(f'output size {output_size!r}; one of {", ".join(OUTPUT_SIZES)}')
        network = create_model(model)
        self.config = network.config
        load_weights(network, weights or find_weights(network.config))
        self.engine = create_engine(network, EngineChoice(device, precision, engine))
        self.temporal = temporal
        self.size = InferenceSize(short_side, long_side_max)
        self.output_size = output_size
        self.sequence = Sequence(policy)
        self._preprocess = Preprocessor(self.engine.device)
        self._state: StreamState | None = None

    def reset(self, reason: ResetReason = ResetReason.REQUESTED) -> None:
        """Let the next frame start a new sequence."""
        self.sequence.request(reason)

    def warm_up(self, height: int, width: int) -> None:
        """Run two blank frames of a size, so that the first real one is fast; keep no trace."""
        kept, self._state = self._state, None
        blank = np.zeros((height, width, 3), np.uint8)
        for _ in range(2):
            self._infer(self._preprocess(blank, self.inference_size(height, width)))
        self._state = kept

    def inference_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the network's height and width for an image of this size, px."""
        return self.size.of(height, width, self.config.short_side)

    def estimate(
        self,
        rgb: npt.NDArray[np.uint8],
        stamp_ns: int,
        frame_id: str = '',
        camera_matrix: tuple[float, ...] | None = None,
    ) -> DepthFrame:
        """
        Estimate the depth of the next frame.

        :param rgb: (H, W, 3) uint8.
        :param stamp_ns: when it was taken, ns.
        :param frame_id: the camera's tf frame; a change starts a new sequence.
        :param camera_matrix: K row by row, where known; a change starts a new sequence. A model
            of a canonical focal length needs it for metres; without, it takes the camera for that.
        :raises InputError: the image cannot be used; the stream is as it was.
        :raises StaleFrameError: the stamp went back within the tolerance; likewise.
        """
        start = time.perf_counter()
        check_rgb(rgb)
        height, width = rgb.shape[:2]
        frame = self._preprocess(rgb, self.inference_size(height, width))
        place = self.sequence.enter(FrameTag(stamp_ns, height, width, frame_id, camera_matrix))
        if place.reset_reason:
            self._state = None
        preprocessed = time.perf_counter()
        maps, place = self._infer_finite(frame, place)
        maps = self._in_metres(maps, (height, width))
        inferred = time.perf_counter()
        size = (height, width) if self.output_size == 'input' else tuple(frame.shape[-2:])
        inverse_depth = download(maps, (size[0], size[1]))
        done = time.perf_counter()
        times = StageTimes(
            1e3 * (preprocessed - start), 1e3 * (inferred - preprocessed), 1e3 * (done - inferred)
        )
        return DepthFrame(inverse_depth, place, times)

    def _in_metres(self, maps: Tensor, size: tuple[int, int]) -> Tensor:
        """Return inverse depth as this camera's, whose images have this size, from the model's."""
        matrix, canonical = self.sequence.camera_matrix, self.config.canonical_focal
        if not canonical or matrix is None or matrix[0] <= 0:
            return maps
        return maps / times_canonical(matrix[0], size, canonical)

    def _infer_finite(self, frame: Tensor, place: Place) -> tuple[Tensor, Place]:
        """Infer; where that is not finite, once more without the past, as a new sequence."""
        maps = self._infer(frame)
        if self._is_finite(maps):
            return maps, place
        self._state = None
        if place.reset_reason:
            self.sequence.request(ResetReason.NON_FINITE)
        else:
            place = self.sequence.restart(ResetReason.NON_FINITE)
            maps = self._infer(frame)
            if self._is_finite(maps):
                return maps, place
            self._state = None
        return torch.where(maps.isfinite(), maps, torch.nan), place

    def _infer(self, frame: Tensor) -> Tensor:
        maps, state = self.engine.run(frame, self._state)
        self._state = state if self.temporal else None
        if maps.device.type == 'cuda':
            torch.cuda.current_stream(maps.device).synchronize()
        return maps

    def _is_finite(self, maps: Tensor) -> bool:
        parts = [maps] if self._state is None else [maps, self._state.ssm]
        return all_finite(parts)
