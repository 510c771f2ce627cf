"""The report of models and recorded predictions: its text, and its layout in a browser."""

from itertools import pairwise
import json
import re

import numpy as np
import pytest

from flashdepth_ros import cli
from flashdepth_ros.evaluation.report.colour_bar import depth_bar, gradients
from flashdepth_ros.evaluation.report.glossary import DEFINITIONS
from flashdepth_ros.evaluation.report.headline import REFERENCES
from flashdepth_ros.messages import colorize
from flashdepth_ros.presentation import DepthRange
from support.browser import find_browser, open_browser
from support.evaluation_bags import FRAMES, wall_depth, write_bag, write_predictions
from support.evaluation_runs import visible_text
from support.paths import ROOT
from support.training_scenes import one_thread

WIDTHS = (1280, 390)
BAG = 'a_recording_of_the_hall_with_a_long_name_2026_11_26_morning'
FAILED_BAG = 'a_recording_with_a_long_name_and_no_truth'
RECORDED = 'ARecordedCandidateWhoseNameHasNoPlaceToWrapUntilHere-and-more'
LABELS = ('flashdepth-tiny', 'off', RECORDED)
HEADLINE = ('abs_rel', 'delta1', 'boundary_f1', 'tae', 'scale_drift', 'fps')
NAMES = re.compile('AbsRel|δ[123]|RMSE|boundary F1|TAE|flicker|scale drift', re.IGNORECASE)
# Two best and two worst frames of each candidate.
EXAMPLES = 4 * len(LABELS)

# All visual elements, with their size, and whether they are drawn.
FIGURES = """[...document.querySelectorAll('img, .plot svg, .bar')].map(each => {
  const box = each.getBoundingClientRect();
  return {
    name: each.alt || each.ariaLabel || each.closest('figure').querySelector('h3').textContent,
    width: box.width, height: box.height,
    left: box.left, right: box.right,
    drawn: each.tagName === 'IMG' ? each.complete && each.naturalWidth > 0
      : each.matches('.bar') ? getComputedStyle(each.firstElementChild).backgroundImage !== 'none'
      : each.querySelectorAll('path').length > 3,
    visible: each.checkVisibility(),
  };
})"""
# The fonts of plots are scaled with them.
SMALLEST_PLOT_FONT = """Math.min(...[...document.querySelectorAll('.plot svg')].flatMap(svg =>
  [...svg.querySelectorAll('text')].map(text => [text.getScreenCTM(), getComputedStyle(text)]))
  .map(([matrix, style]) => Math.hypot(matrix.a, matrix.b) * parseFloat(style.fontSize)))"""
# The extent of the text of each name, and of the page or the scrollable table around it.
NAME_BOXES = """[...document.querySelectorAll('.name')].map(each => {
  const range = document.createRange();
  range.selectNodeContents(each);
  const text = range.getBoundingClientRect();
  const outer = (each.closest('.scroll') || document.documentElement).getBoundingClientRect();
  return {name: each.textContent, left: text.left - outer.left, right: outer.right - text.right,
          height: text.height, ellipsis: getComputedStyle(each).textOverflow};
})"""
TICK_BOXES = """[...document.querySelectorAll('.bar-ticks')].map(bar =>
  [...bar.children].map(tick => tick.getBoundingClientRect()).map(box => [box.left, box.right]))"""


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A report of two settings of a model and a recording on two bags, one of which fails."""
    root = tmp_path_factory.mktemp('evaluated')
    bags = [write_bag(root / BAG), write_bag(root / FAILED_BAG, truth=None)]
    (root / 'earlier').mkdir()
    for bag in bags:
        write_predictions(root / 'earlier' / bag.name, lambda index: 1.2 * wall_depth(index))
    arguments = ['--model', 'flashdepth-tiny', '--model', 'flashdepth-tiny,temporal=off,label=off']
    arguments += ['--short-side', '28', '--predictions', f'{root / "earlier"},label={RECORDED}']
    with one_thread():
        status = cli.main(['evaluate', *map(str, bags), *arguments, '-o', str(root / 'out')])
    assert status == 1
    return root / 'out'


@pytest.fixture(scope='module')
def report(folder):
    return json.loads((folder / 'report.json').read_text())


@pytest.fixture(scope='module')
def page(folder):
    return (folder / 'report.html').read_text()


def figure(value):
    return 'n/a' if value is None else f'{value:.3f}'


def test_report_json_has_the_scores_times_and_settings_of_models(report):
    assert tuple(report['candidates']) == LABELS
    tiny, off = (report['candidates'][name] for name in LABELS[:2])
    assert len(tiny['weights_sha256']) == 64
    assert (tiny['temporal'], off['temporal']) == ('on', 'off')
    sides = tiny['short_side_px'], tiny['long_side_max_px']
    assert (*sides, tiny['model']) == ('28', '2044', 'flashdepth-tiny')
    assert 'torch' in report['versions']
    assert report['command'].startswith('flashdepth')
    for name in LABELS[:2]:
        summary = report['summary'][name]
        total = {stage['stage']: stage for stage in summary['latency_ms']}['total']
        assert 0 < total['p50_ms'] <= total['p95_ms'] <= total['max_ms']
        assert summary['fps'] > 0
        assert summary['frames'] == FRAMES
        assert 0 < summary['scores']['scale_shift']['abs_rel'] < 1
    assert report['summary'][RECORDED]['latency_ms'] == []
    assert report['summary'][RECORDED]['scores']['none']['abs_rel'] == pytest.approx(0.2)
    assert report['failures'][0].startswith(FAILED_BAG)


def test_the_headline_has_the_figures_as_predicted_and_aligned(page, report):
    cards = [
        visible_text(each) for each in re.findall('<section class="card".*?</section>', page, re.S)
    ]
    for label, card in zip(LABELS, cards, strict=True):
        summary = report['summary'][label]
        none, aligned = (summary['scores'][name] for name in ('none', 'scale_shift'))
        assert card.startswith(f'{label} {FRAMES} frames with ground truth')
        assert 'as predicted aligned' in card
        names = {'AbsRel ↓': 'abs_rel', 'δ1 ↑': 'delta1', 'boundary F1 ↑': 'boundary_f1'}
        for name, key in names.items():
            assert f'{name} {figure(none[key])} {figure(aligned[key])}' in card
        assert f'TAE ↓ {100 * none["tae"]:.2f} % {100 * aligned["tae"]:.2f} %' in card
        assert f'scale drift ↓ {100 * summary["scale_drift"]:.2f} %' in card


def test_the_frame_rate_is_shown_with_the_device(page, report):
    for label in LABELS[:2]:
        fps, device = report['summary'][label]['fps'], report['candidates'][label]['device_name']
        assert report['machine']['processor'] in device
        assert f'frame rate ↑ {fps:.1f} fps on {device}' in visible_text(page)
        assert f'{fps:.2f} {device}' in visible_text(page)
    assert 'device_name' not in report['candidates'][RECORDED]


def test_good_values_are_explained_with_sources(page):
    guide = re.search('<section class="panel guide".*?</section>', page, re.S).group()
    assert tuple(re.findall('<dt><a href="#metric-([a-z0-9_]+)"', guide)) == HEADLINE
    for text in map(visible_text, re.findall('<div>.*?</div>', guide, re.S)):
        assert 'smaller is better' in text or 'larger is better' in text
        assert 'perfect' in text or 'constant' in text or 'camera' in text
        published = [name for name in ('Depth Pro', 'Anything', 'FlashDepth') if name in text]
        cited = {int(number) for number in re.findall(r'\[(\d)\]', text)}
        assert bool(published) == bool(cited)
        assert cited <= set(range(1, len(REFERENCES) + 1))
    assert all(
        f'[{number}] {each}' in visible_text(guide) for number, each in enumerate(REFERENCES, 1)
    )


def test_every_metric_name_links_to_its_definition(page):
    anchors = re.findall('<span id="(metric-[a-z0-9_]+)"></span>', page)
    links = set(re.findall('href="#(metric-[a-z0-9_]+)"', page))
    assert len(anchors) == len(set(anchors))
    assert {f'metric-{key}' for key in HEADLINE} <= links <= set(anchors)
    body, definitions = page.split('<h2 id="definitions">')
    body = re.sub('<(style|svg|title|pre).*?</\\1>', '', body, flags=re.S)
    unlinked = visible_text(re.sub('<a href="#metric-.*?</a>', '', body))
    assert not NAMES.findall(unlinked)
    shown = visible_text(definitions).replace('\N{NO-BREAK SPACE}', ' ')
    assert all(f'{each.name} {each.text}' in shown for each in DEFINITIONS)


def test_definitions_are_those_of_the_documentation():
    documented = ' '.join((ROOT / 'doc' / 'metrics.md').read_text().split())
    for each in DEFINITIONS:
        assert each.text in documented
        assert each.source in documented


@pytest.mark.parametrize('limits', [(0.73, 10.4), (0.1, 100.0), (2.0, 2.1), (4.9, 62.0)])
def test_ticks_of_a_colour_bar_are_at_the_colours_of_their_depth(limits):
    codes = re.findall('#(.{6})', gradients()['depth'])
    stops = np.array([list(bytes.fromhex(code)) for code in codes])
    ticks = depth_bar(DepthRange(*limits)).ticks
    assert [ticks[0].percent, ticks[-1].percent] == [0, 100]
    for tick in ticks:
        depth = np.full((1, 1), float(tick.text), np.float32)
        drawn = [np.interp(tick.percent, np.linspace(0, 100, len(stops)), c) for c in stops.T]
        np.testing.assert_allclose(drawn, colorize(depth, *limits)[0, 0], atol=12)


def test_every_depth_picture_has_a_colour_bar_in_metres(page):
    panels = re.findall(
        '<div class="panel (?:example|slices)">.*?(?=<div class="panel|<h2)', page, re.S
    )
    assert len(panels) == EXAMPLES + 1
    for panel in panels:
        assert len(re.findall('class="bar depth"', panel)) == 1
        assert 'depth in metres' in visible_text(panel)
        assert len(re.findall('<span style="left: ', panel)) >= 2


@pytest.fixture(scope='module')
def tab(tmp_path_factory):
    browser = find_browser()
    if browser is None:
        pytest.skip('Chromium is not installed: the layout of the report is not tested')
    with open_browser(browser, tmp_path_factory.mktemp('profile')) as tab:
        yield tab


@pytest.mark.parametrize('width', WIDTHS)
@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_a_browser_shows_all_figures(folder, tab, width, scheme):
    media = [{'name': 'prefers-color-scheme', 'value': scheme}]
    tab.call('Emulation.setEmulatedMedia', features=media)
    tab.open(folder / 'report.html', width)
    assert tab.problems == []
    assert tab.evaluate('document.documentElement.scrollWidth') <= width
    figures = tab.evaluate(FIGURES)
    # Four plots; over time the image, the ground truth, three candidates and a colour bar; five
    # pictures and two colour bars of each example.
    assert len(figures) == 4 + 6 + EXAMPLES * 7
    for figure in figures:
        assert figure['visible'], figure
        assert figure['drawn'], figure
        assert figure['width'] > 100, figure
        assert figure['height'] > 40, figure
        assert 0 <= figure['left'] < figure['right'] <= width, figure
    assert tab.evaluate(SMALLEST_PLOT_FONT) > 8
    assert tab.evaluate('parseFloat(getComputedStyle(document.body).fontSize)') >= 16


@pytest.mark.parametrize('width', WIDTHS)
def test_names_are_shown_completely(folder, tab, width):
    tab.open(folder / 'report.html', width)
    assert tab.evaluate('document.documentElement.scrollWidth') <= width
    names = tab.evaluate(NAME_BOXES)
    assert {each['name'] for each in names} >= {*LABELS, BAG, FAILED_BAG}
    for each in names:
        assert each['ellipsis'] == 'clip', each
        assert each['left'] >= 0, each
        assert each['right'] >= 0, each
        assert each['height'] > 10, each
    for ticks in tab.evaluate(TICK_BOXES):
        for (_, right), (left, _) in pairwise(ticks):
            assert left > right, ticks


def test_the_page_is_accessible(folder, tab):
    tab.open(folder / 'report.html', 1280)
    texts = tab.evaluate("[...document.querySelectorAll('img')].map(each => each.alt)")
    texts += tab.evaluate(
        "[...document.querySelectorAll('.plot div')].map(each => each.ariaLabel)"
    )
    assert all(len(text) > 20 for text in texts)
    assert len(texts) == len(set(texts))
    assert tab.evaluate("[...document.querySelectorAll('th')].every(each => each.scope)")
    assert tab.evaluate('document.documentElement.lang') == 'en'
    assert tab.evaluate("document.querySelectorAll('h1').length") == 1
