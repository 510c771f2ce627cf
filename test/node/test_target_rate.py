"""The governor in a real node: the input shrinks while the machine is too slow, then grows."""

import pytest

from support.node_bench import bench_of, picture, values_of
from support.node_process import golden_weights


@pytest.fixture(scope='module')
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp('target_rate')
    weights = golden_weights(folder, 'flashdepth-tiny-s')
    with bench_of(folder, model='flashdepth-tiny-s', weights=weights) as bench:
        bench.images = bench.camera()
        bench.settle(bench.images, bench.image(picture()), bench.timing)
        yield bench


def process_until(bench, reached):
    """Process images until diagnostics say so; return what they said."""
    for _ in range(400):
        bench.process_all(bench.images, [bench.image(picture(index)) for index in range(3)])
        if bench.diagnostics and reached(said := values_of(bench.diagnostics[-1])):
            return said
    pytest.fail('\n'.join(bench.process.lines))


def changes(bench):
    return [line for line in bench.process.lines if 'sides of the inference size' in line]


def test_off_by_default_the_input_is_the_full_one(bench):
    said = process_until(bench, lambda said: 'inference_size' in said)
    assert (said['inference_size'], said['inference_share']) == ('154x112', '1')
    assert not changes(bench)


def test_a_rate_beyond_the_machine_shrinks_the_input_step_by_step_in_one_sequence(bench):
    before = bench.summary()
    # No machine does a thousand of these frames a second.
    assert not bench.set(target_rate=1000.0)
    said = process_until(bench, lambda said: said['inference_share'] == '0.35')
    assert said['inference_size'] == '56x42'
    assert said['target_rate_hz'] == '1000'
    assert len(changes(bench)) == 6
    assert 'from 100% to 85%' in changes(bench)[0]
    assert (said['resets'], said['dropped_bad']) == (before['resets'], '0')


def test_a_rate_that_is_easy_lets_it_grow_again(bench):
    assert not bench.set(target_rate=0.5)
    said = process_until(bench, lambda said: said['inference_share'] == '1')
    assert said['inference_size'] == '154x112'
    assert len(changes(bench)) == 12
    assert said['resets'] == '1'


def test_switched_off_the_input_is_the_full_one_at_once(bench):
    assert not bench.set(target_rate=1000.0)
    process_until(bench, lambda said: said['inference_share'] != '1')
    assert not bench.set(target_rate=0.0)
    bench.process_all(bench.images, [bench.image(picture())])
    assert bench.summary()['inference_size'] == '154x112'
