"""FlashDepth (arXiv 2504.07093): the complete model."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor, nn

from flashdepth_ros.errors import InputError
from flashdepth_ros.network.config import (
    LEVELS,
    PATCH,
    ContextConfig,
    ModelConfig,
    TemporalAttentionConfig,
)
from flashdepth_ros.network.decoder import Decoder, patch_grid, resize, run_head
from flashdepth_ros.network.encoders import build_encoder
from flashdepth_ros.network.fusion import Fusion
from flashdepth_ros.network.inputs_outputs import check_frames, to_inverse_depth
from flashdepth_ros.network.state import State
from flashdepth_ros.network.temporal import StreamState, Temporal


class Context(nn.Module):
    """The context branch: a large encoder at low resolution, decoded to one coarse level."""

    def __init__(self, config: ContextConfig, level: int) -> None:
        super().__init__()
        self.short_side = config.short_side
        self.levels = LEVELS[: LEVELS.index(level) + 1]
        self.encoder = build_encoder(config.encoder, self.levels)
        self.decoder = Decoder(config.encoder, config.decoder, self.levels)

    def forward(self, frames: Tensor) -> Tensor:
        """Return the path (B, C, h, w) of frames (B, 3, H, W) after the branch's last level."""
        size = context_size(frames.shape[-2], frames.shape[-1], self.short_side)
        frames = resize(frames, size)
        pyramid, path = self.encoder(frames), None
        for level, tapped in zip(self.levels, reversed(pyramid), strict=True):
            path = self.decoder.merge(level, path, tapped, patch_grid(frames))
        assert path is not None
        return path


class FrameFeatures(NamedTuple):
    """Features of T frames of B streams before temporal alignment."""

    path: Tensor
    """(B * S, C, h, w), of the output frames."""
    pyramid: list[Tensor]
    """(B * S, C, h, w) each, of the output frames: encoder maps that are not merged yet."""
    tokens: Tensor | None
    """(B, T, l, C), the pooled path of all frames; None without a temporal module."""
    output_frames: Tensor | None
    """(B, S) int64, as passed to `FlashDepth.forward`; None: all."""
    streams: int
    """B."""
    grid: tuple[int, int]
    """Rows and columns of patches."""
    frames: Tensor | None = None
    """(B * S, 3, H, W): the output frames themselves; None without a detail path."""


class FlashDepth(nn.Module):
    """Estimates inverse depth of one or more streams; their state is passed in and returned."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = build_encoder(config.encoder)
        self.decoder = Decoder(config.encoder, config.decoder)
        assert not isinstance(config.temporal, TemporalAttentionConfig)
        self.temporal = (
            Temporal(config.decoder.width, config.temporal) if config.temporal else None
        )
        self.context = self.fusion = None
        if config.fusion:
            context_width = config.fusion.context.decoder.width
            self.context = Context(config.fusion.context, config.fusion.level)
            self.fusion = Fusion(config.decoder.width, context_width, config.fusion)
        last = config.temporal.level if config.temporal else LEVELS[-1]
        self._levels_before = LEVELS[: LEVELS.index(last) + 1]
        self._levels_after = LEVELS[LEVELS.index(last) + 1 :]

    def forward(
        self,
        frames: Tensor | FrameFeatures,
        state: StreamState | None = None,
        output_frames: Tensor | None = None,
    ) -> tuple[Tensor, StreamState | None]:
        """
        Estimate inverse depth; T frames at once equal T calls of one frame.

        :param frames: (B, T, 3, H, W) RGB, normalised; H and W multiples of 14. Or the result of
            `extract_features`.
        :param state: the state that the previous call returned for these B streams; None starts
            new sequences.
        :param output_frames: (B, S) int64, indices of the frames of each stream to estimate,
            which makes training on long clips cheaper; the state is updated by all T frames.
            None: all.
        :return: inverse depth (B, T or S, H, W) float32 in 1/m, not negative, 0 = infinitely far;
            and the state to pass with the next frames (None without a temporal module).
        :raises InputError: a wrong shape, or a state of another model.
        """
        if not isinstance(frames, FrameFeatures):
            state = self.check_inputs(frames, state)
            frames = self.extract_features(frames, output_frames)
        path, pyramid, tokens, output_frames, streams, grid, images = frames
        if self.temporal and tokens is not None:
            tokens, state = self.temporal(
                tokens, state or self.temporal.initial_state(streams, path.device)
            )
            tokens = tokens.flatten(0, 1)
            if output_frames is not None:
                tokens = select_frames(tokens, output_frames)
            path = self.temporal.add_to(path, tokens)
        for level in self._levels_after:
            path = self.decoder.merge(level, path, pyramid[level - 1], grid)
        assert self.decoder.head is not None
        raw = run_head(self.decoder.head, path, grid, images)
        inverse_depth = to_inverse_depth(raw, self.config.output)
        return inverse_depth.unflatten(0, (streams, -1)), state

    def step(self, frames: Tensor, state: State | None) -> tuple[Tensor, list[Tensor]]:
        """
        Do the same as `forward`, with the argument of `state.after` in place of the next state.

        :param frames: (B, T, 3, H, W).
        :param state: the result of `check_inputs`.
        """
        inverse_depth, after = self(frames, state)
        return inverse_depth, list(after or ())

    def extract_features(
        self, frames: Tensor, output_frames: Tensor | None = None
    ) -> FrameFeatures:
        """
        Return the features of frames (B, T, 3, H, W) before temporal alignment.

        :param output_frames: as in `forward`.
        """
        streams, images, grid = len(frames), frames.flatten(0, 1), patch_grid(frames)
        if output_frames is not None and self.temporal is None:
            images = select_frames(images, output_frames)
        context, pyramid = self._run_branches(images)
        path = None
        for level in self._levels_before:
            path = self.decoder.merge(level, path, pyramid[level - 1], grid)
            if self.fusion and level == self.config.fusion.level:  # type: ignore[union-attr]
                path = self.fusion(path, context)
        assert path is not None
        pyramid = pyramid[: max(1, self._levels_before[-1] - 1)]
        detailed = images if self.config.decoder.detail_channels else None
        if self.temporal is None:
            return FrameFeatures(path, pyramid, None, output_frames, streams, grid, detailed)
        tokens = self.temporal.pool(path, streams)
        if output_frames is not None:
            path, *pyramid = (select_frames(maps, output_frames) for maps in (path, *pyramid))
            if detailed is not None:
                detailed = select_frames(detailed, output_frames)
        return FrameFeatures(path, pyramid, tokens, output_frames, streams, grid, detailed)

    def is_before_alignment(self, name: str) -> bool:
        """Return whether `extract_features` uses the parameter or buffer `name`."""
        after = [f'decoder.levels.{level}.' for level in self._levels_after]
        return not name.startswith(('temporal.', 'decoder.head.', *after))

    def _run_branches(self, images: Tensor) -> tuple[Tensor | None, list[Tensor]]:
        """Return the context path and the encoder's maps; a GPU computes both concurrently."""
        if self.context is None:
            return None, self.encoder(images)
        if not images.is_cuda or torch.is_grad_enabled():
            return self.context(images), self.encoder(images)
        main, side = torch.cuda.current_stream(images.device), side_stream(images.device)
        side.wait_stream(main)
        try:
            with torch.cuda.stream(side):
                context = self.context(images)
            pyramid = self.encoder(images)
        finally:  # a capture cannot end before
            main.wait_stream(side)
        context.record_stream(main)
        return context, pyramid

    def check_inputs(self, frames: Tensor, state: State | None) -> StreamState | None:
        """
        Return the state to start from: `state`, or the initial one.

        :raises InputError: a wrong shape, or a state of another model.
        """
        check_frames(frames, next(self.encoder.parameters()))
        if self.temporal is None:
            if state is not None:
                raise InputError(f'{self.config.name} keeps no state, but one was given')
            return None
        if state is None:
            return self.temporal.initial_state(len(frames), frames.device)
        return self.temporal.check_state(state, len(frames))


@cache
def side_stream(device: torch.device) -> torch.cuda.Stream:
    """Return the stream of the context branch: one a device, as each has memory of its own."""
    return torch.cuda.Stream(device)


def select_frames(maps: Tensor, indices: Tensor) -> Tensor:
    """Return the frames `indices` (B, S) of each stream from maps (B * T, ...)."""
    streams = torch.arange(len(indices), device=indices.device).unsqueeze(1)
    return maps.unflatten(0, (len(indices), -1))[streams, indices].flatten(0, 1)


def context_size(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Return (height, width) of the context branch's input, multiples of 14, px."""
    if min(height, width) <= short_side:
        return height, width
    if height <= width:
        return short_side, int(short_side / height * width) // PATCH * PATCH
    return int(short_side / width * height) // PATCH * PATCH, short_side
