"""Translate names of weights between the released checkpoints and this package."""

import re

from flashdepth_ros.network.config import LEVELS

_LEVEL_NAMES = [
    pair
    for level in (1, 2, 3, 4)
    for pair in (
        (f'depth_head.projects.{level - 1}', f'decoder.levels.{level}.project'),
        (f'depth_head.resize_layers.{level - 1}', f'decoder.levels.{level}.reassembly'),
        (f'depth_head.scratch.layer{level}_rn', f'decoder.levels.{level}.reduce'),
        (
            f'depth_head.scratch.refinenet{level}.resConfUnit1',
            f'decoder.levels.{level}.skip_unit',
        ),
        (f'depth_head.scratch.refinenet{level}.resConfUnit2', f'decoder.levels.{level}.unit'),
        (f'depth_head.scratch.refinenet{level}.out_conv', f'decoder.levels.{level}.output'),
    )
]

_TEMPORAL_MODULE_NAMES = [
    (
        f'depth_head.motion_modules.{index}.temporal_transformer.{released}',
        f'temporal.{module}.{name}',
    )
    for index, module in enumerate(('map3', 'map4', 'path4', 'path3'))
    for released, name in (
        ('norm', 'norm'),
        ('proj_in', 'input'),
        ('transformer_blocks.0.attention_blocks.#.to_q', 'attentions.#.query'),
        ('transformer_blocks.0.attention_blocks.#.to_k', 'attentions.#.key'),
        ('transformer_blocks.0.attention_blocks.#.to_v', 'attentions.#.value'),
        ('transformer_blocks.0.attention_blocks.#.to_out.0', 'attentions.#.output'),
        ('transformer_blocks.0.norms.#', 'norms.#'),
        ('transformer_blocks.0.ff.net.0.proj', 'feed_forward.gated'),
        ('transformer_blocks.0.ff.net.2', 'feed_forward.output'),
        ('transformer_blocks.0.ff_norm', 'feed_forward_norm'),
        ('proj_out', 'output'),
    )
]

# Pairs (released, package). '#' stands for a block number. A name matches up to a dot or its end;
# the rest stays unchanged.
_NAMES = [
    ('pretrained.cls_token', 'encoder.class_token'),
    ('pretrained.pos_embed', 'encoder.position_embedding'),
    ('pretrained.patch_embed.proj', 'encoder.patch_embedding'),
    ('pretrained.blocks.#.norm1', 'encoder.blocks.#.norm1'),
    ('pretrained.blocks.#.attn.qkv', 'encoder.blocks.#.attention.qkv'),
    ('pretrained.blocks.#.attn.proj', 'encoder.blocks.#.attention.output'),
    ('pretrained.blocks.#.ls1.gamma', 'encoder.blocks.#.scale1'),
    ('pretrained.blocks.#.norm2', 'encoder.blocks.#.norm2'),
    ('pretrained.blocks.#.mlp.fc1', 'encoder.blocks.#.mlp.0'),
    ('pretrained.blocks.#.mlp.fc2', 'encoder.blocks.#.mlp.2'),
    ('pretrained.blocks.#.ls2.gamma', 'encoder.blocks.#.scale2'),
    ('pretrained.norm', 'encoder.norm'),
    ('pretrained.stem', 'encoder.stem'),
    ('pretrained.stages', 'encoder.stages'),
    *_LEVEL_NAMES,
    ('depth_head.scratch.output_conv1', 'decoder.head.conv1'),
    ('depth_head.scratch.output_conv2.0', 'decoder.head.conv2'),
    ('depth_head.scratch.output_conv2.2', 'decoder.head.conv3'),
    ('depth_head.scratch.detail', 'decoder.head.detail'),
    ('mamba.blocks.0.#.norm1', 'temporal.blocks.#.norm1'),
    ('mamba.blocks.0.#.mamba.conv1d', 'temporal.blocks.#.mixer.conv'),
    ('mamba.blocks.0.#.mamba', 'temporal.blocks.#.mixer'),
    ('mamba.blocks.0.#.norm2', 'temporal.blocks.#.norm2'),
    ('mamba.blocks.0.#.mlp', 'temporal.blocks.#.mlp'),
    ('mamba.final_layer.1', 'temporal.output'),
    ('hybrid_fusion.blocks.0.0.context_proj', 'fusion.context_projection'),
    ('hybrid_fusion.blocks.0.#.attention.q', 'fusion.blocks.#.attention.query'),
    ('hybrid_fusion.blocks.0.#.attention.kv', 'fusion.blocks.#.attention.key_value'),
    ('hybrid_fusion.blocks.0.#.attention.proj', 'fusion.blocks.#.attention.output'),
    ('hybrid_fusion.blocks.0.#', 'fusion.blocks.#'),
    *_TEMPORAL_MODULE_NAMES,
]
HEAD, VIDEO_HEAD = 'depth_head.', 'head.'
"""How the released names of a decoder begin, of most models and of Video Depth Anything."""

# Entries of the released files that no computation uses: the mask token, the skip unit of the
# coarsest level, the position encodings of temporal attention, which are computed, context
# projections after the first fusion block, and the parts of the context branch after the fusion
# level.
_UNUSED = re.compile(
    r'(teacher_model\.)?pretrained\.mask_token$'
    r'|(teacher_model\.)?depth_head\.scratch\.refinenet4\.resConfUnit1\.'
    r'|hybrid_fusion\.blocks\.0\.[1-9]\d*\.context_proj\.'
    r'|teacher_model\.depth_head\.scratch\.output_conv'
    r'|teacher_model\.mamba\.'
    r'|depth_head\.motion_modules\.\d\..*\.pos_encoder\.pe$'
)
_CONTEXT_LEVEL = re.compile(
    r'teacher_model\.depth_head\.'
    r'((projects|resize_layers)\.(?P<index>\d)|scratch\.(layer|refinenet)(?P<level>\d))'
)
_CONTEXT_RELEASED, _CONTEXT_PACKAGE = 'teacher_model.', 'context.'


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(re.escape(name).replace(r'\#', r'(\d+)') + r'(?=\.|$)')


def _substitution(name: str) -> str:
    return name.replace('#', r'\1')


_FROM_RELEASED = [(_pattern(released), _substitution(package)) for released, package in _NAMES]
_TO_RELEASED = [(_pattern(package), _substitution(released)) for released, package in _NAMES]


def from_released(name: str, context_level: int = LEVELS[0]) -> str | None:
    """
    Return this package's name of a released entry, None if no computation uses the entry.

    A name that is not in the table is returned unchanged.

    :param context_level: the finest decoder level that the context branch computes.
    """
    if name.startswith(VIDEO_HEAD):
        name = HEAD + name.removeprefix(VIDEO_HEAD)
    if _UNUSED.match(name):
        return None
    context = _CONTEXT_LEVEL.match(name)
    if context and int(context['level'] or int(context['index']) + 1) < context_level:
        return None
    return _translate(name, _CONTEXT_RELEASED, _CONTEXT_PACKAGE, _FROM_RELEASED)


def to_released(name: str, head: str = HEAD) -> str:
    """
    Return the released name of an entry of this package.

    :param head: how the names of the decoder begin.
    """
    released = _translate(name, _CONTEXT_PACKAGE, _CONTEXT_RELEASED, _TO_RELEASED)
    return head + released.removeprefix(HEAD) if released.startswith(HEAD) else released


def _translate(
    name: str, prefix: str, new_prefix: str, table: list[tuple[re.Pattern[str], str]]
) -> str:
    bare = name.removeprefix(prefix)
    for pattern, substitution in table:
        if match := pattern.match(bare):
            translated = match.expand(substitution) + bare[match.end() :]
            return (new_prefix if bare != name else '') + translated
    return name
