"""FlashDepth (arXiv 2504.07093): the whole model on one screen."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from flashdepth_ros.errors import InputError
from flashdepth_ros.network.config import LEVELS, PATCH, ContextConfig, ModelConfig, preset
from flashdepth_ros.network.decoder import Decoder, resize, run_head
from flashdepth_ros.network.encoder import Encoder
from flashdepth_ros.network.fusion import Fusion
from flashdepth_ros.network.temporal import StreamState, Temporal

OUTPUT_PER_INVERSE_METRE = 100.0
"""The released networks were trained on 100 / metres."""


class Context(nn.Module):
    """The context branch: a large encoder at low resolution, read at one coarse level."""

    def __init__(self, config: ContextConfig, level: int) -> None:
        super().__init__()
        self.short_side = config.short_side
        self.levels = LEVELS[: LEVELS.index(level) + 1]
        taps = tuple(config.encoder.taps[level - 1] for level in reversed(self.levels))
        self.encoder = Encoder(config.encoder, taps)
        self.decoder = Decoder(config.encoder.dim, config.decoder, self.levels)

    def forward(self, frames: Tensor) -> Tensor:
        """Return the path (B, C, h, w) of frames (B, 3, H, W) at the branch's level."""
        size = context_size(frames.shape[-2], frames.shape[-1], self.short_side)
        pyramid = self.encoder(resize(frames, size))
        path = None
        for level, tapped in zip(self.levels, reversed(pyramid), strict=True):
            path = self.decoder.merge(level, path, tapped)
        assert path is not None
        return path


class Seen(NamedTuple):
    """What a model makes of T frames of B streams before it aligns them over time."""

    path: Tensor
    """(B * S, C, h, w), of the frames wanted."""
    pyramid: list[Tensor]
    """(B * S, C, h, w) each, likewise: the encoder's maps that are still to be merged."""
    tokens: Tensor | None
    """(B, T, l, C), the path of all frames, pooled; None without a temporal module."""
    wanted: Tensor | None
    """(B, S) int64, as given to `FlashDepth.forward`; None: all."""
    streams: int
    """B."""


class FlashDepth(nn.Module):
    """Frames of one or more streams and their state in, inverse depth and the next state out."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config.encoder, config.encoder.taps)
        self.decoder = Decoder(config.encoder.dim, config.decoder)
        self.temporal = (
            Temporal(config.decoder.width, config.temporal) if config.temporal else None
        )
        self.context = self.fusion = None
        if config.fusion:
            context_width = config.fusion.context.decoder.width
            self.context = Context(config.fusion.context, config.fusion.level)
            self.fusion = Fusion(config.decoder.width, context_width, config.fusion)
        last = config.temporal.level if config.temporal else LEVELS[-1]
        self._levels_seen = LEVELS[: LEVELS.index(last) + 1]
        self._levels_after = LEVELS[LEVELS.index(last) + 1 :]

    def forward(
        self,
        frames: Tensor | Seen,
        state: StreamState | None = None,
        wanted: Tensor | None = None,
    ) -> tuple[Tensor, StreamState | None]:
        """
        Estimate inverse depth; T frames at once equal T calls of one frame.

        :param frames: (B, T, 3, H, W) RGB, normalised; H and W multiples of 14. Or what `see`
            made of them.
        :param state: what the call before returned for these B streams; None starts them.
        :param wanted: (B, S) int64, which frames of each stream to estimate: training on long
            clips costs less so. The state passes through all of them. None: all.
        :return: inverse depth (B, T or S, H, W) float32 in 1/m, not negative, 0 = infinitely far;
            and the state to pass with the next frames (None without a temporal module).
        :raises InputError: a shape that does not fit, or a state of another model.
        """
        if isinstance(frames, Tensor):
            state = self.checked(frames, state)
            frames = self.see(frames, wanted)
        path, pyramid, tokens, wanted, streams = frames
        if self.temporal and tokens is not None:
            tokens, state = self.temporal(
                tokens, state or self.temporal.start(streams, path.device)
            )
            tokens = tokens.flatten(0, 1)
            path = self.temporal.added(path, tokens if wanted is None else chosen(tokens, wanted))
        for level in self._levels_after:
            path = self.decoder.merge(level, path, pyramid[level - 1])
        assert self.decoder.head is not None
        raw = run_head(self.decoder.head, path, pyramid[0].shape)
        return raw.unflatten(0, (streams, -1)) / OUTPUT_PER_INVERSE_METRE, state

    def see(self, frames: Tensor, wanted: Tensor | None = None) -> Seen:
        """
        Return what comes of frames (B, T, 3, H, W) before they are aligned over time.

        :param wanted: as in `forward`.
        """
        streams, images = len(frames), frames.flatten(0, 1)
        if wanted is not None and self.temporal is None:
            images = chosen(images, wanted)
        context, pyramid = self._branches(images)
        path = None
        for level in self._levels_seen:
            path = self.decoder.merge(level, path, pyramid[level - 1])
            if self.fusion and level == self.config.fusion.level:  # type: ignore[union-attr]
                path = self.fusion(path, context)
        assert path is not None
        pyramid = pyramid[: max(1, self._levels_seen[-1] - 1)]
        if self.temporal is None:
            return Seen(path, pyramid, None, wanted, streams)
        tokens = self.temporal.pooled(path, streams)
        if wanted is not None:
            path, *pyramid = (chosen(maps, wanted) for maps in (path, *pyramid))
        return Seen(path, pyramid, tokens, wanted, streams)

    def sees_by(self, name: str) -> bool:
        """Tell whether what `see` returns depends on the parameter or buffer `name`."""
        after = [f'decoder.levels.{level}.' for level in self._levels_after]
        return not name.startswith(('temporal.', 'decoder.head.', *after))

    def _branches(self, images: Tensor) -> tuple[Tensor | None, list[Tensor]]:
        """Return the context's path and the encoder's maps; a GPU computes both at once."""
        if self.context is None:
            return None, self.encoder(images)
        if not images.is_cuda or torch.is_grad_enabled():
            return self.context(images), self.encoder(images)
        here, beside = torch.cuda.current_stream(images.device), torch.cuda.Stream(images.device)
        beside.wait_stream(here)
        with torch.cuda.stream(beside):
            context = self.context(images)
        pyramid = self.encoder(images)
        here.wait_stream(beside)
        context.record_stream(here)
        return context, pyramid

    def checked(self, frames: Tensor, state: StreamState | None) -> StreamState | None:
        """Return the state to start from, or say what does not fit."""
        if frames.ndim != 5 or frames.shape[2] != 3:
            raise InputError(
                f'frames of shape {tuple(frames.shape)} given, (B, T, 3, H, W) expected'
            )
        batch, time, _, height, width = frames.shape
        if not batch * time * height * width or height % PATCH or width % PATCH:
            raise InputError(
                f'frames of shape {tuple(frames.shape)} given, height and width must be '
                f'multiples of {PATCH} and nothing empty: resize them first'
            )
        if self.temporal is None:
            if state is not None:
                raise InputError(f'{self.config.name} keeps no state, but one was given')
            return None
        if state is None:
            return self.temporal.start(batch, frames.device)
        self.temporal.check(state, batch)
        return state


def chosen(maps: Tensor, wanted: Tensor) -> Tensor:
    """Return the frames `wanted` (B, S) of each stream's T out of maps (B * T, ...)."""
    streams = torch.arange(len(wanted), device=wanted.device).unsqueeze(1)
    return maps.unflatten(0, (len(wanted), -1))[streams, wanted].flatten(0, 1)


def context_size(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Return the size at which the context branch sees a frame, multiples of 14, px."""
    if min(height, width) <= short_side:
        return height, width
    if height <= width:
        return short_side, int(short_side / height * width) // PATCH * PATCH
    return int(short_side / width * height) // PATCH * PATCH, short_side


def create_model(name: str) -> FlashDepth:
    """
    Build the preset `name`: evaluation mode, float32, CPU, random weights, no temporal effect.

    :raises ConfigError: no preset has that name; the message lists them.
    """
    return FlashDepth(preset(name)).eval()
