"""
One Mamba-2 mixer, computed in chunks (arXiv 2405.21060, state-space duality).

Symbols as in the paper: A, B, C, S; sizes b batch, l tokens, h heads, p head width, n state width,
q tokens per chunk.
"""

import math

import torch
from torch import Tensor, nn
import torch.nn.functional as F

CHUNK = 64


def segment_sums(values: Tensor) -> Tensor:
    """
    Sum `values` (..., q) over (j, i] for every i >= j; -Inf above the diagonal: (..., q, q).

    Each segment is summed separately: differences of one running sum lose precision in the short
    segments.
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
    Compute S <- exp(decay) S + x (outer) B, y = S C over l tokens, all chunks in parallel.

    :param x: (b, l, h, p) float32, already multiplied by the step dt.
    :param decay: (b, l, h), dt * A, not positive.
    :param projections: B and C, each (b, l, n), shared by all heads.
    :param state: (b, h, p, n), S before the first token; not modified.
    :return: y (b, l, h, p) and S after the last token.
    """
    batch, length, heads, head_dim = x.shape
    x, decay, B, C = (_split_chunks(part, chunk) for part in (x, decay, *projections))
    x = x.transpose(1, 2)  # (b * chunks, h, q, p)
    decay = decay.transpose(1, 2)  # (b * chunks, h, q)
    decay_between = segment_sums(decay).exp()  # (..., h, q, q): share of token j left at token i
    decay_from_start = decay.cumsum(dim=-1).exp().unsqueeze(-1)  # (..., h, q, 1)
    decay_to_end = decay_between[:, :, -1].unsqueeze(-1)  # (..., h, q, 1)

    added = (decay_to_end * x).transpose(2, 3) @ B.unsqueeze(1)  # (..., h, p, n)
    states, state = _pass_states(decay.sum(dim=-1), added, state)
    attention = (C @ B.transpose(1, 2)).unsqueeze(1) * decay_between  # dual form, (..., h, q, q)
    from_states = C.unsqueeze(1) @ states.transpose(2, 3)  # (..., h, q, p)
    y = attention @ x + decay_from_start * from_states
    y = y.transpose(1, 2).reshape(batch, -1, heads, head_dim)
    return y[:, :length], state


def _split_chunks(tokens: Tensor, chunk: int) -> Tensor:
    """Reshape (b, l, ...) to (b * chunks, q, ...); zero padding of the last changes no state."""
    length = tokens.shape[1]
    if length <= chunk:
        return tokens
    padded = F.pad(tokens, (0, 0) * (tokens.ndim - 2) + (0, -length % chunk))
    return padded.unflatten(1, (-1, chunk)).flatten(0, 1)


def _pass_states(decay: Tensor, added: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """
    Return S before every chunk, (b * chunks, h, p, n), and after the last one.

    :param decay: (b * chunks, h), the sum of each chunk's.
    :param added: what each chunk adds to S.
    """
    batch = len(state)
    if len(added) == batch:
        return state, decay.exp()[..., None, None] * state + added
    decay, added = (part.unflatten(0, (batch, -1)) for part in (decay, added))
    # The first one stands for S before the first chunk. One product of all is several times
    # faster on a GPU than one chunk after the other.
    shares = segment_sums(F.pad(decay.transpose(1, 2), (1, 0))).exp()  # (b, h, chunks + 1, same)
    states = torch.cat((state.unsqueeze(1), added), dim=1).transpose(1, 2)
    states = (shares @ states.flatten(3)).unflatten(3, state.shape[2:]).transpose(1, 2)
    return states[:, :-1].flatten(0, 1), states[:, -1]


class Mixer(nn.Module):
    """
    Mamba-2 over the tokens of a clip; only the state carries over to the next frame.

    The convolution starts from zeros at every frame, as the released networks were trained.
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
        """Mix tokens (B, T, l, dim) from a state (B, heads, p, n); return both after the last."""
        batch, time, length, _ = tokens.shape
        head_dim, state_dim = self.state_shape[1:]
        z, mixed, dt = self.in_proj(tokens.flatten(0, 1)).split(
            (self.inner, self.inner + 2 * state_dim, self.heads), dim=-1
        )
        mixed = F.silu(self.conv(mixed.transpose(1, 2))[..., :length]).transpose(1, 2)
        with torch.autocast(tokens.device.type, enabled=False):
            x, B, C = (
                part.unflatten(0, (batch, time)).flatten(1, 2)
                for part in mixed.float().split((self.inner, state_dim, state_dim), dim=-1)
            )
            x = x.unflatten(-1, (self.heads, head_dim))  # (B, T * l, h, p)
            dt = F.softplus(dt.float() + self.dt_bias.float())
            dt = dt.unflatten(0, (batch, time)).flatten(1, 2)
            decay = -dt * self.A_log.float().exp()
            y, state = scan(dt.unsqueeze(-1) * x, decay, (B, C), state)
            y = (y + self.D.float().unsqueeze(-1) * x).flatten(2)
            y = y.view(batch * time, length, self.inner) * F.silu(z.float())
            y = F.rms_norm(y, (self.inner,), self.norm.weight.float(), 1e-5)
        return self.out_proj(y.to(z.dtype)).unflatten(0, (batch, time)), state


def _initial_dt_bias(heads: int) -> Tensor:
    """Return the inverse softplus of steps log-uniform in 0.001 to 0.1, as in the paper."""
    return inverse_softplus(torch.empty(heads).uniform_(math.log(0.001), math.log(0.1)).exp())


def inverse_softplus(steps: Tensor) -> Tensor:
    """Return the values whose softplus is `steps` (any shape, above 0)."""
    return steps + torch.log(-torch.expm1(-steps))
