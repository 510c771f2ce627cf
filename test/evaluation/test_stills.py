"""`flashdepth evaluate-frames` on still images with exactly known depth."""

import cv2
import numpy as np
import pytest

from flashdepth_ros import cli
from flashdepth_ros.evaluation import candidates
from flashdepth_ros.network.presets import DEFAULT_MODEL
from support.evaluation_runs import frames, report, visible_text
from support.still_sets import (
    HEIGHT,
    WIDTH,
    K,
    RedReader,
    camera_yaml,
    depth_of,
    levels,
    write_set,
    write_still,
)
from support.training_scenes import one_thread

MODEL = DEFAULT_MODEL


def evaluate(output, *arguments):
    return cli.main(['evaluate-frames', *map(str, arguments), '-o', str(output)])


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Evaluate folders with a reader of the red channel as the model; return the report."""

    def run(*folders, reader=None, arguments=(), status=0):
        monkeypatch.setattr(candidates, 'create_estimator', lambda *_: reader or RedReader())
        facts = {'device_name': 'none'}
        monkeypatch.setattr(candidates.ModelCandidate, 'facts', lambda *_: facts)
        assert evaluate(tmp_path / 'out', *folders, '--overwrite', *arguments) == status
        return report(tmp_path / 'out')

    return run


def scores(found, alignment, label=MODEL):
    return found['summary'][label]['scores'][alignment]


def test_a_perfect_prediction_has_perfect_scores(tmp_path, read):
    found = read(write_set(tmp_path / 'set'))
    for alignment in ('none', 'scale', 'scale_shift', 'frame'):
        each = scores(found, alignment)
        assert each['abs_rel'] == pytest.approx(0.0, abs=1e-5), alignment
        assert each['delta1'] == each['order'] == 1.0
        assert each['boundary_f1'] == pytest.approx(1.0, abs=1e-3)
        assert each['tae'] is each['flicker'] is None
    assert found['bags'][0]['truth'] == '2 dense'
    assert found['summary'][MODEL]['frames'] == 2


def test_one_scale_and_shift_is_fitted_to_each_set(tmp_path, read):
    write_set(tmp_path / 'sets' / 'a', images=3)
    write_set(tmp_path / 'sets' / 'b', images=1)
    found = read(tmp_path / 'sets', reader=RedReader(scale=0.5, shift=0.1))
    assert [each['bag'] for each in found['bags']] == ['a', 'b']
    for each in found['bags']:
        fit = each['candidates'][MODEL]['fits']['scale_shift']
        assert (fit['scale'], fit['shift']) == pytest.approx((2.0, -0.2), abs=1e-4)
    assert scores(found, 'scale_shift')['abs_rel'] == pytest.approx(0.0, abs=1e-4)
    assert scores(found, 'none')['abs_rel'] > 0.1
    assert scores(found, 'none')['order'] == 1.0


def test_sets_have_equal_weight_in_the_mean(tmp_path, read):
    for name, images, factor in (('a', 3, 1.25), ('b', 1, 2.0)):
        folder = write_set(tmp_path / 'sets' / name, images=images)
        for index in range(images):
            np.save(folder / f'image_{index}.depth.npy', factor * depth_of(levels(index)))
    found = read(tmp_path / 'sets')
    # d is 1 / 1.25 of t in three images and 1 / 2 in one.
    assert scores(found, 'none')['abs_rel'] == pytest.approx((0.2 + 0.5) / 2, abs=1e-4)


def test_images_without_a_camera_have_no_scores_as_predicted(tmp_path, read):
    known = write_set(tmp_path / 'known', images=1)
    unknown = write_set(tmp_path / 'unknown', images=2, camera='')
    write_still(unknown, 'with_its_own', levels(2), camera=camera_yaml())
    reader = RedReader(scale=2.0)
    found = read(known, unknown, reader=reader)
    assert reader.matrices == [K, None, None, K]
    for each, images in zip(found['bags'], (1, 3), strict=True):
        candidate = each['candidates'][MODEL]
        assert candidate['scores']['none']['abs_rel'] == pytest.approx(0.5, abs=1e-5)
        assert candidate['scores']['scale_shift']['delta1'] == 1.0
        assert candidate['frames'] == images
    assert 'no camera.yaml for 2 of 3 images' in found['bags'][1]['warnings'][0]


def test_a_relative_model_has_no_scores_as_predicted(tmp_path, read):
    relative = 'depth-anything-v2-s'
    found = read(write_set(tmp_path / 'set'), arguments=('--model', relative))
    assert scores(found, 'none', relative)['abs_rel'] is None
    assert found['bags'][0]['candidates'][relative]['fits']['none'] is None
    assert scores(found, 'scale_shift', relative)['order'] == 1.0


@pytest.mark.parametrize('units', [None, 3000])
def test_depth_in_png_has_millimetres_or_the_stated_unit(tmp_path, read, units):
    folder = write_set(tmp_path / 'set', images=1)
    (folder / 'image_0.depth.npy').unlink()
    metres = depth_of(levels(0))
    metres[:4] = 0
    units_per_metre = units or 1000
    pixels = np.round(metres * units_per_metre).astype(np.uint16)
    cv2.imwrite(str(folder / 'image_0.depth.png'), pixels)
    if units:
        (folder / 'set.yaml').write_text(f'units_per_metre: {units}\n')
    found = read(folder, arguments=('--depth-max', '13'))
    assert scores(found, 'none')['abs_rel'] == pytest.approx(0.0, abs=1e-3)
    within = np.count_nonzero((pixels > 0) & (pixels <= 13 * units_per_metre))
    assert int(frames(tmp_path / 'out')[0]['pixels']) == within


def test_the_calibration_may_be_of_another_size(tmp_path, read):
    folder = write_set(tmp_path / 'set', images=1, camera=camera_yaml(width=128, height=96))
    reader = RedReader()
    read(folder, reader=reader)
    assert reader.matrices[0][0] == K[0] / 2


def test_true_depth_may_be_smaller_than_the_image(tmp_path, read):
    folder = write_still(tmp_path / 'set', 'image', depth=depth_of(levels()[4::8, 4::8]))
    found = read(folder)
    assert scores(found, 'scale_shift')['abs_rel'] == pytest.approx(0.0, abs=1e-5)


def test_points_have_no_boundaries_and_are_not_subsampled(tmp_path, read):
    depth = depth_of(levels())
    depth[:, ::2] = np.nan
    folder = write_still(tmp_path / 'set', 'image', depth=depth, camera=camera_yaml())
    found = read(folder, arguments=('--pixels-max', '200'))
    assert found['bags'][0]['truth'] == '1 points'
    assert scores(found, 'none')['boundary_f1'] is None
    assert int(frames(tmp_path / 'out')[0]['pixels']) == HEIGHT * WIDTH // 2
    read(write_set(tmp_path / 'dense', images=1), arguments=('--pixels-max', '200'))
    assert int(frames(tmp_path / 'out')[0]['pixels']) <= 200


@pytest.fixture(scope='module')
def predicted(tmp_path_factory):
    """Return a function that gives the own scales of images by name, of a real network."""
    count = iter(range(100))

    def run(names, **options):
        folder = tmp_path_factory.mktemp(f'set_{next(count)}')
        for name in names:
            write_still(folder, name, levels(sum(map(ord, name[-1:]))), **options)
        if 'video' in names[0]:
            (folder / 'set.yaml').write_text('video: true\n')
        arguments = ('--short-side', '28', '--engine', 'torch')
        with one_thread():
            assert evaluate(folder / 'out', folder, *arguments) == 0
        return [row['frame.abs_rel'] for row in frames(folder / 'out')]

    return run


def test_each_image_is_a_sequence_of_its_own_unless_the_set_is_a_video(predicted):
    first, second = predicted(['a', 'b'])
    assert predicted(['b']) == [second]
    assert predicted(['video_a', 'video_b'])[0] == first
    assert predicted(['video_a', 'video_b'])[1] != second


def test_an_image_does_not_inherit_the_camera_of_the_one_before(tmp_path):
    wide = camera_yaml([25.0, 0.0, 31.5, 0.0, 25.0, 23.5, 0.0, 0.0, 1.0])
    fits = []
    for camera in (camera_yaml(), wide):
        folder = write_still(tmp_path / str(len(fits)), 'a', camera=camera)
        write_still(folder, 'b')
        with one_thread():
            arguments = ('--short-side', '28', '--engine', 'torch', '--alignment', 'scale')
            assert evaluate(folder / 'out', folder, *arguments) == 0
        rows = frames(folder / 'out')
        fits.append([float(row['scale.abs_rel']) for row in rows])
        assert [bool(row['own_scale']) for row in rows] == [True, False]
        assert [bool(row['none.abs_rel']) for row in rows] == [True, False]
    # K of one image alone changes the ratio of both; K of both would cancel in the common scale.
    assert fits[0] != pytest.approx(fits[1], rel=1e-3)


@pytest.mark.parametrize('options', ['', 'video: true'])
def test_a_set_does_not_inherit_the_camera_of_the_one_before(tmp_path, options):
    fits = []
    for focal in (50.0, 25.0):
        root = tmp_path / str(focal)
        camera = camera_yaml([focal, 0.0, 31.5, 0.0, focal, 23.5, 0.0, 0.0, 1.0])
        for folder in (
            write_still(root / 'a', 'image', camera=camera),
            write_still(root / 'b', 'x'),
        ):
            (folder / 'set.yaml').write_text(options)
        with one_thread():
            assert evaluate(root / 'out', root, '--short-side', '28', '--engine', 'torch') == 0
        bags = report(root / 'out')['bags']
        fits.append([each['candidates'][MODEL]['fits']['scale']['scale'] for each in bags])
    assert fits[0][0] == pytest.approx(2 * fits[1][0], rel=1e-3)
    assert fits[0][1] == fits[1][1]


def test_the_report_names_sets_and_images(tmp_path, read, capsys):
    write_set(tmp_path / 'sets' / 'kitchen')
    write_set(tmp_path / 'sets' / 'street', images=1, camera='')
    read(tmp_path / 'sets', reader=RedReader(scale=2.0))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [MODEL, 'as', 'predicted', 'aligned:', 'scale_shift']
    rows = [line.split()[-6:] for line in lines[2:5]]
    assert rows == [
        ['0.500', '0.000', '0.000', '1.000', '1.000', '1.000'],
        ['n/a', 'n/a', '0.000', '1.000', '1.000', '1.000'],
        ['0.500', '0.000', '0.000', '1.000', '1.000', '1.000'],
    ]
    assert lines[4].startswith('mean of 2 sets')
    assert [row['name'] for row in frames(tmp_path / 'out')] == ['image_0', 'image_1', 'image_0']
    text = visible_text((tmp_path / 'out' / 'report.html').read_text())
    assert 'on 2 sets' in text
    columns = 'candidate AbsRel ↓ δ1 ↑ δ2 ↑ δ3 ↑ RMSE (m) ↓ order ↑ boundary F1 ↑ One scale'
    assert columns in text.replace('\N{NO-BREAK SPACE}', ' ')
    assert f'kitchen {MODEL} 2 0.500 0.000 0.000 1.000 1.000 1.000 2 dense' in text
    assert f'street {MODEL} 1 n/a n/a 0.000 1.000 1.000 1.000 1 dense' in text
    assert 'kitchen , image_0, AbsRel' in text
    assert 'recording' not in text.split('Definitions d is')[0]
