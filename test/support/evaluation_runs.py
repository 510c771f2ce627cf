"""Run `flashdepth evaluate` and read the files it writes."""

import csv
from html import unescape
import json
import re

import numpy as np

from flashdepth_ros import cli
from support.evaluation_bags import wall_depth


def noisy(index):
    rng = np.random.default_rng(index)
    depth = wall_depth(index)
    return (depth * np.exp(rng.normal(0.0, 0.2, depth.shape))).astype(np.float32)


def evaluate(output, *arguments):
    return cli.main(['evaluate', *map(str, arguments), '-o', str(output)])


def report(output):
    return json.loads((output / 'report.json').read_text())


def scores(output, label='predicted'):
    return report(output)['summary'][label]['scores']


def frames(output):
    with (output / 'frames.csv').open(newline='') as file:
        return list(csv.DictReader(file))


def visible_text(html):
    """Return the text of HTML without tags, with single spaces."""
    without_breaks = re.sub('<wbr>', '', html)
    return ' '.join(unescape(re.sub('<[^>]*>', ' ', without_breaks)).split())
