"""The report as a browser shows it, of models and recorded predictions side by side."""

import json

import pytest

from flashdepth_ros import cli
from support.browser import find_browser, opened
from support.evaluation_bags import FRAMES, wall_depth, write_bag, write_predictions
from support.training_scenes import one_thread

WIDTHS = (1280, 390)
# Everything that is to be seen, with its size, and whether a picture has come out of its file.
FIGURES = """[...document.querySelectorAll('img, .plot svg')].map(each => {
  const box = each.getBoundingClientRect();
  return {
    name: each.alt || each.closest('figure').querySelector('h3').textContent,
    width: box.width, height: box.height,
    left: box.left, right: box.right,
    drawn: each.tagName === 'IMG' ? each.complete && each.naturalWidth > 0
                                  : each.querySelectorAll('path').length > 3,
    visible: each.checkVisibility(),
  };
})"""
# Letters of plots are scaled with them.
LETTERS = """Math.min(...[...document.querySelectorAll('.plot svg')].flatMap(svg =>
  [...svg.querySelectorAll('text')].map(text => [text.getScreenCTM(), getComputedStyle(text)]))
  .map(([turn, style]) => Math.hypot(turn.a, turn.b) * parseFloat(style.fontSize)))"""


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A report of two settings of a model and a recording on two bags, one of which fails."""
    root = tmp_path_factory.mktemp('evaluated')
    bags = [write_bag(root / 'hall')]
    bags.append(write_bag(root / 'a_recording_with_a_long_name_and_no_truth', truth=None))
    (root / 'earlier').mkdir()
    for bag in bags:
        write_predictions(root / 'earlier' / bag.name, lambda index: 1.2 * wall_depth(index))
    arguments = ['--model', 'flashdepth-tiny', '--model', 'flashdepth-tiny,temporal=off,label=off']
    arguments += ['--short-side', '28', '--predictions', str(root / 'earlier')]
    with one_thread():
        status = cli.main(['evaluate', *map(str, bags), *arguments, '-o', str(root / 'out')])
    assert status == 1
    return root / 'out'


def test_models_are_timed_and_named_to_be_had_again(folder):
    report = json.loads((folder / 'report.json').read_text())
    assert list(report['candidates']) == ['flashdepth-tiny', 'off', 'earlier']
    tiny, off = (report['candidates'][name] for name in ('flashdepth-tiny', 'off'))
    assert len(tiny['weights_sha256']) == 64
    assert (tiny['temporal'], off['temporal']) == ('on', 'off')
    assert (tiny['short_side_px'], tiny['model']) == ('28', 'flashdepth-tiny')
    assert 'torch' in report['versions']
    assert report['command'].startswith('flashdepth')
    for name in ('flashdepth-tiny', 'off'):
        summary = report['summary'][name]
        total = {stage['stage']: stage for stage in summary['latency_ms']}['total']
        assert 0 < total['p50_ms'] <= total['p95_ms'] <= total['max_ms']
        assert summary['fps'] > 0
        assert summary['frames'] == FRAMES
        assert 0 < summary['scores']['scale_shift']['abs_rel'] < 1
    assert report['summary']['earlier']['latency_ms'] == []
    assert report['summary']['earlier']['scores']['none']['abs_rel'] == pytest.approx(0.2)
    assert report['failures'][0].startswith('a_recording_with')


@pytest.fixture(scope='module')
def tab(tmp_path_factory):
    browser = find_browser()
    if browser is None:
        pytest.skip('no Chromium on this machine: the report is not looked at')
    with opened(browser, tmp_path_factory.mktemp('profile')) as tab:
        yield tab


@pytest.mark.parametrize('width', WIDTHS)
@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_a_browser_shows_all_of_it(folder, tab, width, scheme):
    media = [{'name': 'prefers-color-scheme', 'value': scheme}]
    tab.call('Emulation.setEmulatedMedia', features=media)
    tab.open(folder / 'report.html', width)
    assert tab.complaints == []
    assert tab.evaluate('document.documentElement.scrollWidth') <= width
    figures = tab.evaluate(FIGURES)
    # Four plots; image, truth and three candidates over time; two best and two worst frames of
    # each candidate in five pictures.
    assert len(figures) == 4 + 5 + 3 * 4 * 5
    for figure in figures:
        assert figure['visible'], figure
        assert figure['drawn'], figure
        assert figure['width'] > 100, figure
        assert figure['height'] > 50, figure
        assert 0 <= figure['left'] < figure['right'] <= width, figure
    assert tab.evaluate(LETTERS) > 8
    assert tab.evaluate('parseFloat(getComputedStyle(document.body).fontSize)') >= 16


def test_those_who_do_not_see_it_are_told(folder, tab):
    tab.open(folder / 'report.html', 1280)
    texts = tab.evaluate("[...document.querySelectorAll('img')].map(each => each.alt)")
    plots = "[...document.querySelectorAll('.plot [role=img]')].map(each => each.ariaLabel)"
    texts += tab.evaluate(plots)
    assert all(len(text) > 20 for text in texts)
    assert len(texts) == len(set(texts))
    heads = "[...document.querySelectorAll('th')].every(each => each.scope)"
    assert tab.evaluate(heads)
    assert tab.evaluate('document.documentElement.lang') == 'en'
    assert tab.evaluate("document.querySelectorAll('h1').length") == 1
