"""Folders of photographs and meshes for varied scenes, some of their files damaged."""

from pathlib import Path

import cv2
import numpy as np

OBJ = 'v 0 0 0\nv 0.3 0 0\nv 0 0.3 0\nv 0 0 0.3\nf 1 3 2\nf 1 2 4\nf 2 3 4\nf 3 1 4\n'


def write_photographs(folder: Path, whole: int = 1, damaged: int = 0) -> Path:
    folder.mkdir()
    for index in range(whole):
        image = np.random.default_rng(index).integers(0, 256, (60, 80, 3), np.uint8)
        cv2.imwrite(str(folder / f'{index}.png'), image)
    for index in range(damaged):
        (folder / f'torn_{index}.jpg').write_bytes(b'nothing')
    return folder


def write_meshes(folder: Path, whole: int = 1, damaged: int = 0) -> Path:
    """Write tetrahedra with edges of 0.3 m, and files with a face but no vertices."""
    folder.mkdir()
    for index in range(whole):
        (folder / f'{index}.obj').write_text(OBJ)
    for index in range(damaged):
        (folder / f'torn_{index}.obj').write_text('f 1 2 3')
    return folder
