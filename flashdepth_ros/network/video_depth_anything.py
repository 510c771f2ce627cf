"""Video Depth Anything (arXiv 2501.12375): temporal attention in the decoder of a DPT."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from flashdepth_ros.errors import InputError
from flashdepth_ros.network.config import (
    LEVELS,
    PATCH,
    WINDOW,
    ModelConfig,
    TemporalAttentionConfig,
)
from flashdepth_ros.network.decoder import Decoder, path_size, run_head
from flashdepth_ros.network.encoders import build_encoder
from flashdepth_ros.network.inputs_outputs import check_frames, to_inverse_depth
from flashdepth_ros.network.state import State
from flashdepth_ros.network.temporal_attention import (
    LAYERS,
    SPAN,
    AttentionState,
    CachePlaces,
    TemporalModule,
)

_ALIGNED_LEVELS = (4, 3)
"""Decoder levels with temporal modules, on the reassembled map and on the path after the level."""
_PATCH_LEVEL = 3
"""The decoder level whose map has a cell for each patch."""


class VideoDepthAnything(nn.Module):
    """Estimates inverse depth of one or more streams; their state is passed in and returned."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        assert isinstance(config.temporal, TemporalAttentionConfig)
        self.config = config
        self.encoder = build_encoder(config.encoder)
        self.decoder = Decoder(config.encoder, config.decoder)
        width, channels = config.decoder.width, config.decoder.channels
        self.temporal = nn.ModuleDict(
            {
                name: TemporalModule(size, config.temporal.heads)
                for name, size in zip(
                    AttentionState._fields, (channels[2], channels[3], width, width), strict=False
                )
            }
        )

    def forward(
        self, frames: Tensor, state: AttentionState | None = None
    ) -> tuple[Tensor, AttentionState]:
        """
        Estimate inverse depth from each frame and those before it; T at once equal T calls.

        :param frames: (B, T, 3, H, W) RGB, normalised; H and W multiples of 14.
        :param state: the state that the previous call returned for these B streams, with frames of
            this size; None starts new sequences. It is not changed.
        :return: inverse depth (B, T, H, W) float32, in 1/m if `config.metric`, else up to scale
            and shift, not negative; and the state to pass with the next frames.
        :raises InputError: a wrong shape, or a state of another model or size of frames.
        """
        given, state = state, self.check_inputs(frames, state)
        pyramid = [
            maps.unflatten(0, frames.shape[:2]) for maps in self.encoder(frames.flatten(0, 1))
        ]
        estimates = []
        for index in range(frames.shape[1]):
            inverse_depth, entries = self._decode_frame(
                [maps[:, index] for maps in pyramid], state
            )
            # A gradient needs what it would overwrite.
            reuse = state is not given and not torch.is_grad_enabled()
            state = state.after(entries, reuse=reuse)
            estimates.append(inverse_depth)
        return torch.stack(estimates, dim=1), state

    def step(self, frames: Tensor, state: State | None) -> tuple[Tensor, list[Tensor]]:
        """
        Estimate one frame of each stream.

        :param frames: (B, 1, 3, H, W).
        :return: inverse depth (B, 1, H, W), and the argument of `state.after`.
        """
        assert isinstance(state, AttentionState)
        inverse_depth, entries = self._decode_frame(self.encoder(frames.squeeze(1)), state)
        return inverse_depth.unsqueeze(1), entries

    def estimate_window(self, frames: Tensor) -> Tensor:
        """
        Estimate inverse depth of windows in which every frame attends to all others.

        :param frames: (B, T, 3, H, W) RGB, normalised; T at most 32; H and W multiples of 14.
        :return: inverse depth (B, T, H, W) float32, as of `forward`.
        :raises InputError: a wrong shape.
        """
        check_frames(frames, next(self.encoder.parameters()))
        if frames.shape[1] > WINDOW:
            raise InputError(f'{frames.shape[1]} frames given, a window has at most {WINDOW}')
        pyramid = self.encoder(frames.flatten(0, 1))
        inverse_depth = self._decode(
            pyramid, lambda name, maps: self._module(name)(maps, frames.shape[1])
        )
        return inverse_depth.unflatten(0, frames.shape[:2])

    def initial_state(self, frames: Tensor) -> AttentionState:
        """Return the state of streams before their first frames, of the shape of `frames`."""
        batch, device = len(frames), frames.device
        caches = [
            torch.zeros(shape, device=device, dtype=_cache_dtype(frames))
            for shape in self._cache_shapes(frames)
        ]
        caches.append(torch.zeros(batch, dtype=torch.int64, device=device))
        return AttentionState(*caches)

    def check_inputs(self, frames: Tensor, state: State | None) -> AttentionState:
        """
        Return the state to start from: `state` in the type of the computation, or the initial one.

        :raises InputError: a wrong shape, or a state of another model or size of frames.
        """
        check_frames(frames, next(self.encoder.parameters()))
        if state is None:
            return self.initial_state(frames)
        if not isinstance(state, AttentionState):
            raise InputError(
                f'state of type {type(state).__name__} given, AttentionState expected: pass the '
                'state that the same model returned for these streams, or None'
            )
        expected = [*self._cache_shapes(frames), (len(frames),)]
        actual = [tuple(part.shape) for part in state]
        if actual != expected:
            raise InputError(
                f'state of shapes {actual} given, {expected} expected: pass the state that the '
                'same model returned for these streams at this image size, or None'
            )
        dtype = _cache_dtype(frames)
        if all(part.dtype == dtype for part in state if part.is_floating_point()):
            return state
        # All are copies, because those of a new state may be overwritten.
        return AttentionState(
            *(part.to(dtype, copy=True) if part.is_floating_point() else part for part in state)
        )

    def _cache_shapes(self, frames: Tensor) -> list[tuple[int, ...]]:
        config = self.config
        rows, columns = frames.shape[-2] // PATCH, frames.shape[-1] // PATCH
        grids = [(rows, columns), (-(-rows // 2), -(-columns // 2))]
        grids += [path_size((rows, columns), level) for level in _ALIGNED_LEVELS]
        channels = (*config.decoder.channels[2:], config.decoder.width, config.decoder.width)
        return [
            (len(frames), LAYERS, *grid, 1 + SPAN, size)
            for grid, size in zip(grids, channels, strict=True)
        ]

    def _decode_frame(
        self, pyramid: list[Tensor], state: AttentionState
    ) -> tuple[Tensor, list[Tensor]]:
        places, entries = CachePlaces.after(state.seen), {}

        def align(name: str, maps: Tensor) -> Tensor:
            maps, entries[name] = self._module(name).align(maps, getattr(state, name), places)
            return maps

        inverse_depth = self._decode(pyramid, align)
        return inverse_depth, [entries[name] for name in self.temporal]

    def _decode(self, pyramid: list[Tensor], align: Callable[[str, Tensor], Tensor]) -> Tensor:
        """Return inverse depth (N, H, W) from the encoder's maps, aligned over time."""
        path, (rows, columns) = None, pyramid[_PATCH_LEVEL - 1].shape[-2:]
        grid = rows, columns
        for level in LEVELS:
            tapped = pyramid[level - 1]
            if level in _ALIGNED_LEVELS:
                aligned = partial(align, f'map{level}')
                path = self.decoder.merge(level, path, tapped, grid, aligned)
                path = align(f'path{level}', path)
            else:
                path = self.decoder.merge(level, path, tapped, grid)
        assert path is not None
        assert self.decoder.head is not None
        raw = run_head(self.decoder.head, path, grid)
        return to_inverse_depth(raw, self.config.output)

    def _module(self, name: str) -> TemporalModule:
        module = self.temporal[name]
        assert isinstance(module, TemporalModule)
        return module


def _cache_dtype(frames: Tensor) -> torch.dtype:
    """Return the type of the caches: that of the computation."""
    device = frames.device.type
    lower = torch.is_autocast_enabled(device)
    return torch.get_autocast_dtype(device) if lower else frames.dtype
