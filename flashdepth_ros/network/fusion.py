"""Cross-attention that brings the context branch's view into the student's path."""

from torch import Tensor, nn

from flashdepth_ros.network.attention import attend
from flashdepth_ros.network.config import FusionConfig


class CrossAttention(nn.Module):
    """Attention from tokens (B, N, C) to context (B, M, C)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.output = nn.Linear(width, width)

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        key, value = self.key_value(context).chunk(2, dim=-1)
        return self.output(attend(self.query(tokens), key, value, self.heads))


class Block(nn.Module):
    """Cross-attention, then a perceptron, each pre-normed and added; both start at zero."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.context_norm = nn.LayerNorm(width)
        self.attention = CrossAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        for last in (self.attention.output, self.mlp[2]):
            assert isinstance(last, nn.Linear)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        tokens = tokens + self.attention(self.norm1(tokens), self.context_norm(context))
        return tokens + self.mlp(self.norm2(tokens))


class Fusion(nn.Module):
    """The student's path (B, C, h, w) attends to the context's path (B, C', h', w')."""

    def __init__(self, width: int, context_width: int, config: FusionConfig) -> None:
        super().__init__()
        self.context_projection = nn.Linear(context_width, width)
        self.blocks = nn.ModuleList(Block(width, config.heads) for _ in range(config.blocks))

    def forward(self, path: Tensor, context: Tensor) -> Tensor:
        tokens = path.flatten(2).transpose(1, 2)
        projected = self.context_projection(context.flatten(2).transpose(1, 2))
        for block in self.blocks:
            tokens = block(tokens, projected)
        return tokens.transpose(1, 2).unflatten(2, path.shape[-2:])
