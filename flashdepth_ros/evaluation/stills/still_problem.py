"""What is wrong with a still image, in words that are alike for other images."""

from __future__ import annotations

from flashdepth_ros.evaluation.damage import reason
from flashdepth_ros.evaluation.problems import Problem
from flashdepth_ros.stills.still import Still


def problem_of(still: Still, error: Exception) -> Problem:
    """Return the problem that an error of this image is; its kind does not name its files."""
    text = kind = reason(error)
    for path in (still.image, still.depth, still.camera):
        kind = kind.replace(path.name, path.suffix) if path else kind
    return Problem(still.name, text, kind)
