"""The governor in a real node: the input shrinks while frames take too long, then grows."""

import pytest

from support.node_bench import random_image, start_bench, values_of
from support.node_process import golden_weights

pytestmark = pytest.mark.needs_torch('an exported model has one size')


@pytest.fixture(scope='module')
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp('target_rate')
    weights = golden_weights(folder, 'flashdepth-tiny-s')
    with start_bench(folder, model='flashdepth-tiny-s', weights=weights) as bench:
        bench.images = bench.create_publisher()
        bench.connect(bench.images, bench.image(random_image()), bench.timing)
        yield bench


def process_until(bench, condition):
    """Process images until the values of /diagnostics meet a condition; return the values."""
    for _ in range(400):
        bench.process_all(bench.images, [bench.image(random_image(index)) for index in range(3)])
        if bench.diagnostics and condition(values := values_of(bench.diagnostics[-1])):
            return values
    pytest.fail('\n'.join(bench.process.lines))


def logged_changes(bench):
    return [line for line in bench.process.lines if 'sides of the inference size' in line]


def test_full_size_by_default(bench):
    values = process_until(bench, lambda values: 'inference_size' in values)
    assert (values['inference_size'], values['inference_share']) == ('154x112', '1')
    assert not logged_changes(bench)


def test_unreachable_rate_shrinks_the_input_in_steps_without_a_reset(bench):
    before = bench.summary()
    # A rate that no computer reaches.
    assert not bench.set(target_rate=1000.0)
    values = process_until(bench, lambda values: values['inference_share'] == '0.35')
    assert values['inference_size'] == '56x42'
    assert values['target_rate_hz'] == '1000'
    assert len(logged_changes(bench)) == 6
    assert 'from 100% to 85%' in logged_changes(bench)[0]
    assert (values['resets'], values['dropped_bad']) == (before['resets'], '0')


def test_low_rate_grows_the_input_again(bench):
    assert not bench.set(target_rate=0.5)
    values = process_until(bench, lambda values: values['inference_share'] == '1')
    assert values['inference_size'] == '154x112'
    assert len(logged_changes(bench)) == 12
    assert values['resets'] == '1'


def test_full_size_at_once_when_switched_off(bench):
    assert not bench.set(target_rate=1000.0)
    process_until(bench, lambda values: values['inference_share'] != '1')
    assert not bench.set(target_rate=0.0)
    bench.process_all(bench.images, [bench.image(random_image())])
    assert bench.summary()['inference_size'] == '154x112'
