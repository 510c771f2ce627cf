"""The package needs nothing that Ubuntu 22.04's NumPy 1.21 and OpenCV 4.5.4 lack."""

import ast
from collections.abc import Iterator
from pathlib import Path
import re

import pytest

from support.imports import PACKAGE, sources

# What the package once used, or is likely to use, of later versions.
LATER_OPENCV = re.compile(r'COLOR_Bayer[RGB]{4}2\w+|IMREAD_COLOR_RGB')
# Later versions of NumPy can subscript its classes when a module is imported.
GENERIC = {'dtype', 'ndarray', 'generic', 'number', 'integer', 'inexact', 'floating', 'bool_'}


@pytest.mark.parametrize('path', sources(PACKAGE), ids=lambda path: path.stem)
def test_no_names_of_later_versions_are_used(path):
    tree = ast.parse(path.read_text())
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not [name for name in names if LATER_OPENCV.fullmatch(name)]
    assert not [ast.unparse(each) for each in evaluated(tree, path) if is_numpy_generic(each)]


def evaluated(tree: ast.AST, path: Path) -> Iterator[ast.AST]:
    """Yield the nodes that are evaluated when the module is imported, but for function bodies."""
    postponed = 'from __future__ import annotations' in path.read_text()
    for name, value in ast.iter_fields(tree):
        if name in ('annotation', 'returns') and postponed:
            continue
        if name == 'body' and isinstance(tree, ast.FunctionDef):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield child
                yield from evaluated(child, path)


def is_numpy_generic(node: ast.AST) -> bool:
    """Return whether a node is, for example, `np.dtype[Any]`."""
    return (
        isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Attribute)
        and ast.unparse(node.value.value) in ('np', 'numpy')
        and node.value.attr in GENERIC
    )
