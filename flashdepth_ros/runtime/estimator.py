"""One stream, from RGB arrays to metric depth: engine, state and sequence policy together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
import time

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from flashdepth_ros.camera.geometry import times_canonical
from flashdepth_ros.errors import ConfigError
from flashdepth_ros.network import StreamState, create_model, load_weights
from flashdepth_ros.runtime.depth_frame import DepthFrame, PendingFrame
from flashdepth_ros.runtime.engines import EngineChoice, create_engine
from flashdepth_ros.runtime.preprocess import InferenceSize, check_rgb
from flashdepth_ros.runtime.sequence import FrameTag, ResetReason, Sequence, SequencePolicy
from flashdepth_ros.runtime.transfer import CpuTransfer, GpuTransfer, Transfer
from flashdepth_ros.runtime.weights import find_weights

OUTPUT_SIZES = ('input', 'inference')


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
        on_cpu = self.engine.device.type == 'cpu'
        self.transfer: Transfer = CpuTransfer() if on_cpu else GpuTransfer(self.engine.device)
        self._state: StreamState | None = None
        self._unsettled: PendingFrame | None = None

    def reset(self, reason: ResetReason = ResetReason.REQUESTED) -> None:
        """Let the next frame start a new sequence."""
        self.sequence.request(reason)

    def warm_up(self, height: int, width: int) -> None:
        """Run two blank frames of a size, so that the first real one is fast; keep no trace."""
        kept, self._state = self._state, None
        blank = np.zeros((height, width, 3), np.uint8)
        for _ in range(2):
            maps = self._infer(self.transfer.upload(blank, self.inference_size(height, width)))
            self.transfer.download(maps, (height, width))()
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
        return self.submit(rgb, stamp_ns, frame_id, camera_matrix).result()

    def submit(
        self,
        rgb: npt.NDArray[np.uint8],
        stamp_ns: int,
        frame_id: str = '',
        camera_matrix: tuple[float, ...] | None = None,
    ) -> PendingFrame:
        """
        Give the next frame to the device, and do not wait for its depth.

        Who asks for a frame's result after having submitted the next one (`ahead`) has its image
        brought there and its depth back while the network is at work. Otherwise as `estimate`.
        """
        start_s = time.perf_counter()
        check_rgb(rgb)
        height, width = rgb.shape[:2]
        frame = self.transfer.upload(rgb, self.inference_size(height, width))
        uploaded_s = time.perf_counter()
        self._settle()  # from what the frame before left, this one goes on
        place = self.sequence.enter(FrameTag(stamp_ns, height, width, frame_id, camera_matrix))
        if place.reset_reason:
            self._state = None
        launched_s = time.perf_counter()
        self._unsettled = pending = PendingFrame(
            frame,
            self._infer(frame),
            place,
            self._focal_ratio((height, width)),
            (height, width) if self.output_size == 'input' else (frame.shape[-2], frame.shape[-1]),
            self._settle,
            preprocess_s=uploaded_s - start_s,
            launched_s=launched_s,
        )
        return pending

    @property
    def ahead(self) -> int:
        """Frames to be submitted before the result of the one before them is asked for."""
        return self.transfer.ahead

    def _focal_ratio(self, size: tuple[int, int]) -> float:
        """Return this camera's focal length over the model's; 1 where either has none."""
        matrix, canonical = self.sequence.camera_matrix, self.config.canonical_focal
        if not canonical or matrix is None or matrix[0] <= 0:
            return 1.0
        return times_canonical(matrix[0], size, canonical)

    def _settle(self) -> None:
        """Wait for the frame at hand; start to bring its depth back."""
        pending, self._unsettled = self._unsettled, None
        if pending is None:
            return
        try:
            self._make_finite(pending)
            inferred_s = time.perf_counter()
            pending.inference_s = inferred_s - pending.launched_s
            pending.download = self.transfer.download(pending.in_metres, pending.size)
            pending.postprocess_s = time.perf_counter() - inferred_s
        except (RuntimeError, MemoryError) as error:
            pending.error = error
            self._state = None
            self.sequence.request(ResetReason.NON_FINITE)

    def _make_finite(self, pending: PendingFrame) -> None:
        """Where what was inferred is not finite: once more without the past, a new sequence."""
        if self._is_finite(pending.maps):
            return
        self._state = None
        if pending.place.reset_reason:
            self.sequence.request(ResetReason.NON_FINITE)
        else:
            pending.place = self.sequence.restart(ResetReason.NON_FINITE)
            pending.maps = self._infer(pending.frame)
            if self._is_finite(pending.maps):
                return
            self._state = None
        pending.maps = torch.where(pending.maps.isfinite(), pending.maps, torch.nan)

    def _infer(self, frame: Tensor) -> Tensor:
        maps, state = self.engine.run(frame, self._state)
        self._state = state if self.temporal else None
        return maps

    def _is_finite(self, maps: Tensor) -> bool:
        """Tell whether no number is NaN or infinite: a sum is finite only where every part is."""
        parts = [maps] if self._state is None else [maps, self._state.ssm]
        if maps.device.type == 'cpu':
            return all(bool(np.isfinite(part.numpy().sum())) for part in parts)
        return bool(torch.stack([part.sum() for part in parts]).sum().isfinite())
