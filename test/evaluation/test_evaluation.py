"""`flashdepth evaluate` on recordings with exactly known depth; no network runs."""

import numpy as np
import pytest

from flashdepth_ros.bags import BagReader, BagWriter
from flashdepth_ros.camera.geometry import back_project, rays
from support.evaluation_bags import (
    CAMERA,
    CAMERA_64,
    FRAMES,
    cloud,
    stamp_ns,
    wall_depth,
    write_bag,
    write_predictions,
)
from support.evaluation_runs import evaluate, frames, noisy, report, scores
from support.torchrun import torchrun

ALIGNED = ('scale', 'scale_shift', 'frame')


@pytest.fixture
def evaluate_predictions(tmp_path):
    """Evaluate the depths that a function returns for every frame; return the output folder."""

    def run(predict, *arguments, **options):
        bag = write_bag(tmp_path / 'bag', **options)
        bag_of_predictions = write_predictions(tmp_path / 'predicted', predict)
        status = evaluate(tmp_path / 'out', bag, '--predictions', bag_of_predictions, *arguments)
        assert status == 0
        return tmp_path / 'out'

    return run


def test_a_perfect_prediction_has_perfect_scores(evaluate_predictions):
    output = evaluate_predictions(wall_depth)
    for alignment in ('none', *ALIGNED):
        found = scores(output)[alignment]
        for metric in ('abs_rel', 'rmse', 'tae', 'flicker'):
            assert found[metric] == pytest.approx(0.0, abs=2e-5), (alignment, metric)
        assert [found[f'delta{n}'] for n in (1, 2, 3)] == [1.0, 1.0, 1.0]
    summary = report(output)['summary']['predicted']
    assert summary['frames'] == FRAMES
    assert summary['scale_drift'] == pytest.approx(0.0, abs=1e-6)
    assert report(output)['bags'][0]['truth_tae'] == pytest.approx(0.0, abs=1e-5)


def test_known_scale_and_shift_are_recovered(evaluate_predictions):
    def predict(index):
        return 1 / ((1 / wall_depth(index) - 0.02) / 1.7)

    output = evaluate_predictions(predict)
    fit = report(output)['bags'][0]['candidates']['predicted']['fits']['scale_shift']
    assert (fit['scale'], fit['shift']) == pytest.approx((1.7, 0.02), abs=1e-4)
    assert scores(output)['scale_shift']['abs_rel'] == pytest.approx(0.0, abs=1e-4)
    assert scores(output)['none']['abs_rel'] > 0.1
    assert scores(output)['scale']['abs_rel'] > 1e-3


def test_scores_equal_their_definitions(evaluate_predictions):
    output = evaluate_predictions(noisy, '--depth-max', '4')
    limits = (0.1, 4.0)
    truths = [
        np.where(d <= 4.0, d, np.nan).astype(np.float64) for d in map(wall_depth, range(FRAMES))
    ]
    inverses = [1 / noisy(index).astype(np.float64) for index in range(FRAMES)]
    known = [np.isfinite(truth) for truth in truths]
    p = np.concatenate([i[k] for i, k in zip(inverses, known, strict=True)])
    t = np.concatenate([1 / d[k] for d, k in zip(truths, known, strict=True)])
    scale, shift = np.linalg.lstsq(np.stack([p, np.ones_like(p)], axis=1), t, rcond=None)[0]
    rows = []
    for inverse, truth, valid in zip(inverses, truths, known, strict=True):
        d = np.clip(1 / np.clip(scale * inverse + shift, 1e-9, None), *limits)[valid]
        g = truth[valid]
        ratio = np.maximum(d / g, g / d)
        rows.append(
            [np.mean(abs(d - g) / g), np.sqrt(np.mean((d - g) ** 2)), np.mean(ratio < 1.25)]
        )
    found = scores(output)['scale_shift']
    assert [found[name] for name in ('abs_rel', 'rmse', 'delta1')] == pytest.approx(
        np.mean(rows, axis=0), rel=1e-4
    )
    assert 0.02 < found['abs_rel'] < 0.4
    own = [
        np.sum(i[k] / d[k]) / np.sum(i[k] ** 2)
        for i, d, k in zip(inverses, truths, known, strict=True)
    ]
    drift = report(output)['summary']['predicted']['drift_curve']
    expected = [np.std(own[:n]) / np.mean(own[:n]) for n in range(1, FRAMES + 1)]
    assert drift == pytest.approx(expected, abs=1e-6)
    clipped = [np.log(np.clip(1 / inverse, *limits)) for inverse in inverses]
    steps = []
    for n in range(1, FRAMES):
        change, true = clipped[n] - clipped[n - 1], np.log(truths[n] / truths[n - 1])
        steps.append(np.nanmean(abs(change - true)))
    flicker = [float(row['none.flicker']) for row in frames(output)[1:]]
    assert flicker == pytest.approx(steps, rel=1e-4)


def test_a_wrong_scale_causes_temporal_alignment_error(evaluate_predictions):
    output = evaluate_predictions(lambda index: 1.5 * wall_depth(index))
    assert scores(output)['none']['tae'] > 3e-3
    assert scores(output)['scale']['tae'] < 1e-5
    assert scores(output)['none']['abs_rel'] == pytest.approx(0.5, abs=1e-4)


def test_predictions_at_infinity_are_clipped_to_the_far_limit(evaluate_predictions):
    output = evaluate_predictions(
        lambda index: np.full_like(wall_depth(index), np.inf), '--depth-max', '8'
    )
    expected = np.mean([np.mean(8 / wall_depth(n) - 1) for n in range(FRAMES)])
    assert scores(output)['none']['abs_rel'] == pytest.approx(expected, rel=1e-3)
    assert scores(output)['scale']['abs_rel'] is None


def test_sky_and_holes_have_no_ground_truth(evaluate_predictions):
    def truth(index):
        depth = wall_depth(index)
        depth[:10], depth[-5:] = np.inf, np.nan
        return depth

    output = evaluate_predictions(wall_depth, truth=truth)
    rows = frames(output)
    assert {int(row['pixels']) for row in rows} == {33 * 64}
    assert scores(output)['none']['abs_rel'] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(('width', 'height'), [(32, 24), (128, 96)])
def test_ground_truth_may_have_another_size(evaluate_predictions, width, height):
    output = evaluate_predictions(
        wall_depth, truth=lambda index: wall_depth(index, width, height), encoding='16UC1'
    )
    # Half a pixel of the smaller image on a slanted wall, and rounding to millimetres.
    assert scores(output)['none']['abs_rel'] < 0.01
    assert f'{width} x {height} px' in report(output)['bags'][0]['truth']


def test_ground_truth_may_have_a_time_offset(evaluate_predictions):
    output = evaluate_predictions(wall_depth, '--tolerance', '0.03', offset_ns=20_000_000)
    bag = report(output)['bags'][0]
    assert bag['pairs'] == FRAMES
    assert bag['offset_ms'] == pytest.approx(20.0)
    assert [int(row['truth_ns']) - int(row['stamp_ns']) for row in frames(output)] == [
        20_000_000
    ] * FRAMES


def test_several_candidates_are_compared(tmp_path):
    bag = write_bag(tmp_path / 'bag')
    good = write_predictions(tmp_path / 'good', wall_depth)
    bad = write_predictions(tmp_path / 'bad', noisy)
    status = evaluate(
        tmp_path / 'out', bag, '--predictions', good, '--predictions', f'{bad},label=noise'
    )
    assert status == 0
    assert list(report(tmp_path / 'out')['summary']) == ['good', 'noise']
    page = (tmp_path / 'out' / 'report.html').read_text()
    assert 'class="best"' in page
    assert 'http://' not in page.replace('http://www.w3.org', '')
    assert 'https://' not in page


def test_a_lidar_is_ground_truth(tmp_path):
    bag = tmp_path / 'bag'
    write_bag(tmp_path / 'without', truth=None)
    points = back_project(wall_depth(0), rays(CAMERA_64)).reshape(-1, 3)[::7]
    with BagReader(tmp_path / 'without') as source, BagWriter(bag) as writer:
        for record in source.records():
            writer.write_cdr(record.topic, record.type, record.data, record.stamp_ns)
        writer.write('/lidar', cloud(points, CAMERA, stamp_ns(0)), stamp_ns(FRAMES))
    predictions = write_predictions(tmp_path / 'predicted', wall_depth)
    arguments = (bag, '--predictions', predictions, '--lidar-topic', '/lidar')
    assert evaluate(tmp_path / 'out', *arguments) == 0
    found = report(tmp_path / 'out')
    assert found['bags'][0]['truth'].startswith('lidar points')
    assert scores(tmp_path / 'out')['none']['abs_rel'] == pytest.approx(0.0, abs=1e-5)
    assert scores(tmp_path / 'out')['none']['boundary_f1'] is None
    assert frames(tmp_path / 'out')[0]['pixels'] == str(len(points))


def test_several_processes_share_the_bags_with_the_same_results(tmp_path):
    bags = [write_bag(tmp_path / name) for name in ('a', 'b', 'c')]
    (tmp_path / 'predicted').mkdir()
    for name, predict in (('a', wall_depth), ('b', noisy), ('c', noisy)):
        write_predictions(tmp_path / 'predicted' / name, predict)
    arguments = [*map(str, bags), '--predictions', str(tmp_path / 'predicted')]
    assert evaluate(tmp_path / 'one', *arguments) == 0
    torchrun('flashdepth_ros.cli', 'evaluate', *arguments, '-o', str(tmp_path / 'two'))
    one, two = report(tmp_path / 'one'), report(tmp_path / 'two')
    assert two['machine']['processes'] == '2'
    for part in ('summary', 'bags', 'candidates', 'protocol'):
        assert one[part] == two[part]
    name = 'frames.csv'
    assert (tmp_path / 'one' / name).read_text() == (tmp_path / 'two' / name).read_text()
