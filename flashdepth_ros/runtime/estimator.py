"""The depth estimator of one camera: from images to depth, with the sequence policy."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from copy import copy
import math
from pathlib import Path
import time
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from flashdepth_ros.camera.geometry import canonical_scale, matrix_numbers
from flashdepth_ros.errors import ConfigError
from flashdepth_ros.network.presets import DEFAULT_MODEL
from flashdepth_ros.runtime.depth_frame import DepthFrame, PendingFrame
from flashdepth_ros.runtime.engines import EngineChoice, load_engine
from flashdepth_ros.runtime.preprocess import FixedSize, InferenceSize, check_rgb
from flashdepth_ros.runtime.sequence import FrameTag, ResetReason, Sequence, SequencePolicy
from flashdepth_ros.runtime.stream import FrameStream

if TYPE_CHECKING:
    from torch import Tensor

OUTPUT_SIZES = ('input', 'inference')


class DepthEstimator(FrameStream):
    """
    Estimates the depth of the frames of one camera, in order.

    :param model: name of a preset.
    :param weights: a `.pth`, `.safetensors` or exported `.onnx` file, or a state dict; '': the
        preset's weights.
    :param device: 'auto', 'cpu', 'cuda', 'cuda:N' or 'intel_gpu'.
    :param precision: 'auto', 'fp32', 'bf16', 'fp16' or 'int8'.
    :param engine: 'auto', 'torch', 'torch_compile', 'openvino' or 'onnxruntime'.
    :param temporal: False: process every frame without the recurrent state.
    :param short_side: short side of the network input, px; 0: the preset's size.
    :param long_side_max: maximum long side of the network input, px.
    :param output_size: size of depth: 'input', as the image, or 'inference', as the network.
    :param policy: when a new sequence starts.
    :param gpu_options: of `GPU_OPTIONS`, without effect but on CUDA.
    :raises ConfigError: a name or number is unknown or not available on this computer.
    :raises CheckpointError: the weights cannot be found or read, or do not fit the model.
    """

    def __init__(  # noqa: PLR0913 - the public signature: one argument for each choice of the user
        self,
        model: str = DEFAULT_MODEL,
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
        gpu_options: tuple[str, ...] = (),
    ) -> None:
        if output_size not in OUTPUT_SIZES:
            raise ConfigError(
                f'unknown output size {output_size!r}; expected one of {", ".join(OUTPUT_SIZES)}'
            )
        choice = EngineChoice(device, precision, engine, gpu_options)
        self.config, loaded = load_engine(model, weights, choice)
        super().__init__(loaded, Sequence(policy), temporal)
        self.size = self.engine.input_size or InferenceSize(short_side, long_side_max)
        _check_short_side(self.size, short_side)
        self.output_size = output_size
        self.warm_rate_hz = 0.0
        """Frames a second in the warm-up, from image to depth; 0: there was none."""

    def reset(self, reason: ResetReason = ResetReason.REQUESTED) -> None:
        """Start a new sequence with the next frame."""
        self.sequence.request_reset(reason)

    def warm_up(self, height: int, width: int) -> None:
        """Run two blank frames of this size, so that the first real one is fast; time the last."""
        state, self._state = self._state, None
        blank = np.zeros((height, width, 3), np.uint8)
        fixed = self.fixed_size
        size = (fixed.height, fixed.width) if fixed else self.inference_size(height, width)
        if self.ahead and not fixed:  # a GPU, which captures a graph
            self.engine.prepare(self.transfer.upload(blank, size))
        for _ in range(2):
            start_s = time.perf_counter()
            frame = self.transfer.upload(blank, size)
            self.transfer.download(self._infer(frame), (height, width)).array()
            self.warm_rate_hz = 1.0 / (time.perf_counter() - start_s)
        self._state = state

    def inference_size(self, height: int, width: int) -> tuple[int, int]:
        """
        Return height and width of the network input for an image of this size, px.

        :raises InputError: the model is exported for one size, which has another shape.
        """
        return self.size.for_image(height, width, self.config)

    def depth_size(self, image: tuple[int, int], network: tuple[int, int]) -> tuple[int, int]:
        """Return height and width of depth, from those of the image and of the network input."""
        return image if self.output_size == 'input' else network

    def estimate(
        self,
        rgb: npt.NDArray[np.uint8],
        stamp_ns: int,
        frame_id: str = '',
        camera_matrix: npt.ArrayLike | None = None,
    ) -> DepthFrame:
        """
        Estimate the depth of the next frame.

        :param rgb: (H, W, 3) uint8.
        :param stamp_ns: time of the image, ns.
        :param frame_id: tf frame of the camera; a change starts a new sequence.
        :param camera_matrix: K, nine numbers by rows or (3, 3), if known; a change starts a new
            sequence. A model with a canonical camera needs it for metric depth: it scales depth by
            the focal length. Without K it assumes the focal length of the canonical camera.
        :raises InputError: image or K cannot be used; the stream is unchanged.
        :raises StaleFrameError: the stamp went back within the tolerance; the stream is unchanged.
        """
        return self.submit(rgb, stamp_ns, frame_id, camera_matrix).result()

    def submit(
        self,
        rgb: npt.NDArray[np.uint8],
        stamp_ns: int,
        frame_id: str = '',
        camera_matrix: npt.ArrayLike | None = None,
    ) -> PendingFrame:
        """
        Start the estimation of the next frame without waiting for its depth.

        Submit `ahead` further frames before you call `result()` of a frame: then images and depth
        are copied while the network processes another frame. Otherwise like `estimate`.
        """
        pending = self.prepare(rgb, stamp_ns, frame_id, camera_matrix)
        self.launch(pending, *self.run(pending.frame))
        return pending

    def prepare(
        self,
        rgb: npt.NDArray[np.uint8],
        stamp_ns: int,
        frame_id: str = '',
        camera_matrix: npt.ArrayLike | None = None,
    ) -> PendingFrame:
        """Do what `submit` does before the network runs; `run` and `launch` must follow."""
        start_s = time.perf_counter()
        check_rgb(rgb)
        k = None if camera_matrix is None else matrix_numbers(camera_matrix)
        height, width = rgb.shape[:2]
        frame = self.transfer.upload(rgb, self.inference_size(height, width))
        uploaded_s = time.perf_counter()
        self._finish_all_but(self.ahead)
        position = self.sequence.add(FrameTag(stamp_ns, height, width, frame_id, k))
        if position.reset_reason:
            self._state = None
        elif self._state is not None and not self._state.fits(*frame.shape[-2:]):
            position = self.sequence.restart(ResetReason.GEOMETRY_CHANGED)
            self._state = None
        return PendingFrame(
            frame,
            position,
            self._focal_ratio((height, width)),
            self.depth_size((height, width), (frame.shape[-2], frame.shape[-1])),
            self._finish,
            preprocess_s=uploaded_s - start_s,
            launched_s=time.perf_counter(),
        )

    def for_another_camera(
        self, output_size: str, policy: SequencePolicy | None = None
    ) -> DepthEstimator:
        """
        Return an estimator of another stream with the same weights and engine.

        All of them have to be called by the same thread.
        """
        other = copy(self)
        other.output_size = output_size
        other.sequence, other.transfer = Sequence(policy), self.engine.create_transfer()
        other._state, other._in_flight = None, deque()
        # The engine may keep the state of one stream in its own memory.
        self._is_only_stream = other._is_only_stream = False
        return other

    @property
    def fixed_size(self) -> FixedSize | None:
        """The only size of the network input, of an exported model; None: any."""
        return self.size if isinstance(self.size, FixedSize) else None

    def state_memory_bytes(self) -> int:
        """Return the memory of the state that the next frame continues from."""
        state = self._state  # the thread that estimates may drop it at any time
        return 0 if state is None else state.memory_bytes()

    def _focal_ratio(self, size: tuple[int, int]) -> float:
        """Return this camera's focal length over the canonical one; 1 if either is unknown."""
        matrix, canonical = self.sequence.camera_matrix, self.config.canonical_focal
        if not canonical or matrix is None or not 0 < matrix[0] < math.inf:
            return 1.0
        return canonical_scale(matrix[0], size, canonical)


def _check_short_side(size: InferenceSize | FixedSize, short_side: int) -> None:
    """Check that a requested short side is possible."""
    if isinstance(size, FixedSize) and short_side not in (0, min(size.height, size.width)):
        raise ConfigError(
            f'a short side of {short_side} px was requested, but {size.source} is for '
            f'{size.width}x{size.height} alone: leave it at 0, or export the model for another '
            'size'
        )
