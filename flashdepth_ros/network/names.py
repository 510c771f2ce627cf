"""The released checkpoints' names of the weights, and ours: one table, read in both directions."""

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

# '#' stands for a block's number. A name matches up to a dot or its end; the rest is kept.
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
    *_LEVEL_NAMES,
    ('depth_head.scratch.output_conv1', 'decoder.head.conv1'),
    ('depth_head.scratch.output_conv2.0', 'decoder.head.conv2'),
    ('depth_head.scratch.output_conv2.2', 'decoder.head.conv3'),
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
]

# In the released files and in no computation: the token of masked images, the merge of the
# coarsest level, the projections of later fusion blocks, what the context branch never reaches.
_UNUSED = re.compile(
    r'(teacher_model\.)?pretrained\.mask_token$'
    r'|(teacher_model\.)?depth_head\.scratch\.refinenet4\.resConfUnit1\.'
    r'|hybrid_fusion\.blocks\.0\.[1-9]\d*\.context_proj\.'
    r'|teacher_model\.depth_head\.scratch\.output_conv'
    r'|teacher_model\.mamba\.'
)
_CONTEXT_LEVEL = re.compile(
    r'teacher_model\.depth_head\.'
    r'((projects|resize_layers)\.(?P<index>\d)|scratch\.(layer|refinenet)(?P<level>\d))'
)
_CONTEXT_RELEASED, _CONTEXT_OURS = 'teacher_model.', 'context.'


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(re.escape(name).replace(r'\#', r'(\d+)') + r'(?=\.|$)')


def _substitution(name: str) -> str:
    return name.replace('#', r'\1')


_TO_OURS = [(_pattern(released), _substitution(ours)) for released, ours in _NAMES]
_TO_RELEASED = [(_pattern(ours), _substitution(released)) for released, ours in _NAMES]


def ours(released: str, context_level: int = LEVELS[0]) -> str | None:
    """
    Return our name of a released entry, None where nothing computes with it.

    A name that the table does not know comes back as it is.

    :param context_level: the finest level of its decoder that the context branch computes.
    """
    if _UNUSED.match(released):
        return None
    context = _CONTEXT_LEVEL.match(released)
    if context and int(context['level'] or int(context['index']) + 1) < context_level:
        return None
    return _translated(released, _CONTEXT_RELEASED, _CONTEXT_OURS, _TO_OURS)


def released(ours: str) -> str:
    """Return the released name of one of our entries."""
    return _translated(ours, _CONTEXT_OURS, _CONTEXT_RELEASED, _TO_RELEASED)


def _translated(
    name: str, prefix: str, new_prefix: str, table: list[tuple[re.Pattern[str], str]]
) -> str:
    bare = name.removeprefix(prefix)
    for pattern, substitution in table:
        if match := pattern.match(bare):
            translated = match.expand(substitution) + bare[match.end() :]
            return (new_prefix if bare != name else '') + translated
    return name
