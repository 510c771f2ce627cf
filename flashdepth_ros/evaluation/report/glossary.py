"""Definitions of the metrics, as in doc/metrics.md, and links to them in the page."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from flashdepth_ros.evaluation.results import DRIFT, METRICS

_EIGEN = 'Eigen et al. 2014, arXiv:1406.2283'
_THIS_PROJECT = 'this project'


@dataclass(frozen=True)
class Definition:
    """What a metric, or a group of metrics with one definition, measures."""

    keys: tuple[str, ...]
    """Keys of the metrics; each has an anchor in the page."""
    name: str
    text: str
    source: str = ''


DEFINITIONS = (
    Definition(
        ('abs_rel',),
        'AbsRel',
        'Absolute relative error: the mean of |d - t| / t over the compared pixels.',
        _EIGEN,
    ),
    Definition(
        ('delta1', 'delta2', 'delta3'),
        'δ1, δ2, δ3',
        'The fraction of pixels with max(d/t, t/d) < 1.25 (δ1), 1.25² (δ2) or 1.25³ (δ3).',
        _EIGEN,
    ),
    Definition(
        ('rmse',),
        'RMSE',
        'Root mean square error: the square root of the mean of (d - t)², in metres.',
        _EIGEN,
    ),
    Definition(
        ('order',),
        'Order',
        'The share of pixel pairs in the right order, from 0 to 1: 20,000 random pairs of a '
        'frame, without those whose true depths differ by less than 10 %. Equal predictions count '
        'one half, so chance gives 0.5. It needs no alignment.',
        _THIS_PROJECT,
    ),
    Definition(
        ('boundary_f1',),
        'Boundary F1',
        'Agreement of depth boundaries, from 0 to 1. Neighbouring pixels i and j (left, right, '
        'above, below) have a boundary at threshold r if d(j)/d(i) > r. P and T are the sets of '
        'ordered pairs with a boundary in the prediction and in the ground truth; '
        'F1(r) = 2 |P ∩ T| / (|P| + |T|). The score is the mean of F1(r) over ten thresholds from '
        '1.05 to 1.25 in equal steps, weighted by r. Thresholds at which neither has a boundary '
        'are left out. A scale factor does not change the score. Lidar points have no boundary '
        'score, because they have no neighbouring pixels.',
        'Depth Pro, arXiv:2410.02073',
    ),
    Definition(
        ('tae',),
        'TAE',
        'Temporal alignment error. Every pixel of a frame is reprojected into the next frame with '
        'ground truth, using the recorded camera motion. Its new depth p is compared with the '
        'depth d predicted at that position: the mean of |p - d| / d, averaged over both '
        'directions of time. It needs poses and rectified images. The error of the ground truth '
        'itself, caused by poses, moving objects and subsampling, is the lower limit of what can '
        'be measured.',
        'Video Depth Anything, arXiv:2501.12375',
    ),
    Definition(
        ('flicker',),
        'Flicker',
        "The mean over pixels of |ln(d'/d) - ln(t'/t)| between consecutive frames with ground "
        'truth, at fixed pixels whose true depth changes by less than 5 %: the relative change '
        'that the scene does not explain. It needs no poses.',
        _THIS_PROJECT,
    ),
    Definition(
        ('scale_drift',),
        'Scale drift',
        "The standard deviation of the frames' own scales divided by their mean. The own scale of "
        'a frame is the least-squares scale from its predicted to its true inverse depth, without '
        'any other alignment. The curve at x uses the first x frames; the figure uses all frames.',
        _THIS_PROJECT,
    ),
    Definition(
        ('latency', 'fps'),
        'Latency and frame rate',
        'Latency is the time of the estimator for one frame: preprocessing, inference and '
        'postprocessing. All images count, with and without ground truth, after two warm-up '
        'frames. The frame rate is 1 / mean latency. Images are decoded in another thread; this '
        'time is not included.',
    ),
    Definition(
        ('alignment',),
        'Alignment',
        'Predicted inverse depth p = 1/d is fitted to 1/t by least squares over all compared '
        'pixels of a recording: s p with one scale for the sequence, s p + b with one scale and '
        'shift for the sequence, or s p + b with one scale and shift for each frame. As predicted '
        'means without alignment.',
        'protocol of FlashDepth, arXiv:2504.07093, and of Video Depth Anything: one scale and '
        'shift for the sequence',
    ),
)

_NAMES = {
    **{metric.key: metric.label for metric in (*METRICS, DRIFT)},
    'fps': 'frame rate',
    'latency': 'latency',
}


def metric_link(key: str, text: str = '') -> Markup:
    """Return a link to the definition of a metric, with its name or another text."""
    return Markup('<a href="#metric-{}">{}</a>').format(key, text or _NAMES[key])
