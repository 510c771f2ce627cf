"""
One Mamba-2 mixer, scanned in chunks (arXiv 2405.21060, state-space duality).

Symbols as in the paper: b batch, l tokens, h heads, p head width, n state width, q tokens of a
chunk.
"""

import math

import torch
from torch import Tensor, nn
import torch.nn.functional as F

CHUNK = 64


def segment_sums(values: Tensor) -> Tensor:
    """
    Sum `values` (..., q) over (j, i] for every i >= j; -Inf above the diagonal: (..., q, q).

    Sums each segment by itself; differences of one running sum would lose the short segments.
    """
    length = values.shape[-1]
    ones = torch.ones(length, length, dtype=torch.bool, device=values.device)
    rows = values.unsqueeze(-1).expand(*values.shape, length)
    sums = rows.masked_fill(~ones.tril(-1), 0.0).cumsum(dim=-2)
    return sums.masked_fill(~ones.tril(), -math.inf)


def scan(
    x: Tensor, decay: Tensor, projections: tuple[Tensor, Tensor], state: Tensor, chunk: int = CHUNK
) -> tuple[Tensor, Tensor]:
    """
    Run S <- exp(decay) S + x (outer) B, y = S C over l tokens, all chunks of them side by side.

    :param x: (b, l, h, p) float32, already times the step dt.
    :param decay: (b, l, h), the step times A, not positive.
    :param projections: B and C, each (b, l, n), shared by the heads.
    :param state: (b, h, p, n), S before the first token; left as it is.
    :return: y (b, l, h, p) and S after the last token.
    """
    batch, length, heads, head_dim = x.shape
    x, decay, into, out_of = (_in_chunks(part, chunk) for part in (x, decay, *projections))
    x = x.transpose(1, 2)  # (b * chunks, h, q, p)
    decay = decay.transpose(1, 2)  # (b * chunks, h, q)
    between = segment_sums(decay).exp()  # (..., h, q, q): what is left at i of what came in at j
    since_start = decay.cumsum(dim=-1).exp().unsqueeze(-1)  # (..., h, q, 1)
    until_end = between[:, :, -1].unsqueeze(-1)  # (..., h, q, 1)

    gained = (until_end * x).transpose(2, 3) @ into.unsqueeze(1)  # (..., h, p, n)
    before, state = _carry(since_start[:, :, -1:], gained, state)
    within = (out_of @ into.transpose(1, 2)).unsqueeze(1) * between  # attention's dual
    carried = out_of.unsqueeze(1) @ before.transpose(2, 3)  # (..., h, q, p)
    y = within @ x + since_start * carried
    y = y.transpose(1, 2).reshape(batch, -1, heads, head_dim)
    return y[:, :length], state


def _in_chunks(tokens: Tensor, chunk: int) -> Tensor:
    """Return (b, l, ...) as (b * chunks, q, ...): zeros fill the last, they change no state."""
    length = tokens.shape[1]
    if length <= chunk:
        return tokens
    filled = F.pad(tokens, (0, 0) * (tokens.ndim - 2) + (0, -length % chunk))
    return filled.unflatten(1, (-1, chunk)).flatten(0, 1)


def _carry(left: Tensor, gained: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Return S before every chunk, (b * chunks, h, p, n), and after the last one."""
    batch = len(state)
    if len(gained) == batch:
        return state, left * state + gained
    states = [state]
    by_chunk = (part.unflatten(0, (batch, -1)).unbind(1) for part in (left, gained))
    for kept, new in zip(*by_chunk, strict=True):
        states.append(kept * states[-1] + new)
    return torch.stack(states[:-1], dim=1).flatten(0, 1), states[-1]


class Mixer(nn.Module):
    """
    Mamba-2 over the tokens of a clip; its state crosses frames, its convolution does not.

    The released networks start the convolution from zeros at every frame, and were trained so.
    """

    def __init__(self, dim: int, expand: int, head_dim: int, state_dim: int) -> None:
        super().__init__()
        self.inner = expand * dim
        self.heads = self.inner // head_dim
        self.state_shape = (self.heads, head_dim, state_dim)
        mixed = self.inner + 2 * state_dim
        self.in_proj = nn.Linear(dim, self.inner + mixed + self.heads, bias=False)
        self.conv = nn.Conv1d(mixed, mixed, 4, groups=mixed, padding=3)
        self.dt_bias = nn.Parameter(_initial_dt_bias(self.heads))
        self.A_log = nn.Parameter(torch.empty(self.heads).uniform_(1, 16).log())
        self.D = nn.Parameter(torch.ones(self.heads))
        self.norm = nn.RMSNorm(self.inner, eps=1e-5)
        self.out_proj = nn.Linear(self.inner, dim, bias=False)

    def forward(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Mix (B, T, l, dim) from state (B, heads, p, n) on; return both after the last token."""
        batch, time, length, _ = tokens.shape
        head_dim, state_dim = self.state_shape[1:]
        z, mixed, dt = self.in_proj(tokens.flatten(0, 1)).split(
            (self.inner, self.inner + 2 * state_dim, self.heads), dim=-1
        )
        mixed = F.silu(self.conv(mixed.transpose(1, 2))[..., :length]).transpose(1, 2)
        with torch.autocast(tokens.device.type, enabled=False):
            x, into, out_of = (
                part.unflatten(0, (batch, time)).flatten(1, 2)
                for part in mixed.float().split((self.inner, state_dim, state_dim), dim=-1)
            )
            x = x.unflatten(-1, (self.heads, head_dim))  # (B, T * l, h, p)
            dt = F.softplus(dt.float() + self.dt_bias.float())
            dt = dt.unflatten(0, (batch, time)).flatten(1, 2)
            decay = -dt * self.A_log.float().exp()
            y, state = scan(dt.unsqueeze(-1) * x, decay, (into, out_of), state)
            y = (y + self.D.float().unsqueeze(-1) * x).flatten(2)
            y = y.view(batch * time, length, self.inner) * F.silu(z.float())
            y = F.rms_norm(y, (self.inner,), self.norm.weight.float(), 1e-5)
        return self.out_proj(y.to(z.dtype)).unflatten(0, (batch, time)), state


def _initial_dt_bias(heads: int) -> Tensor:
    """Inverse softplus of steps spread evenly in logarithm over 0.001 to 0.1, as in the paper."""
    return inverse_softplus(torch.empty(heads).uniform_(math.log(0.001), math.log(0.1)).exp())


def inverse_softplus(steps: Tensor) -> Tensor:
    """Return what softplus makes these steps of, any shape, above 0."""
    return steps + torch.log(-torch.expm1(-steps))
