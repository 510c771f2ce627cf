"""Matching the messages of two topics, by stamps and by times of recording."""

from itertools import pairwise

import numpy as np
import pytest

from flashdepth_ros.bags import BagReader, BagWriter, build_message, header
from flashdepth_ros.bags.join import match
from flashdepth_ros.bags.nearest import Messages
from flashdepth_ros.bags.runs import Run, split_runs
from flashdepth_ros.bags.track import Track
from flashdepth_ros.errors import InputError

MS = 1_000_000
BROKEN = b'\x00\x01'


def messages(stamps, recorded=None):
    return Messages.of(split_runs(stamps, stamps if recorded is None else recorded))


def pairs_of(first, second, tolerance):
    """Return the stamps of the pairs in the order of the first."""
    found = first.pair(second, tolerance, by_order=False)
    return sorted((int(first.stamps_ns[i]), int(second.stamps_ns[j])) for i, j, _ in found)


@pytest.mark.parametrize('tolerance', [0, 3, 1000])
def test_pairs_are_nearest_within_the_tolerance_and_unique(tolerance):
    rng = np.random.default_rng(5)
    for _ in range(30):
        frames, truths = (
            np.sort(rng.choice(200, rng.integers(2, 30), replace=False)) for _ in range(2)
        )
        pairs = pairs_of(messages(frames), messages(truths), tolerance)
        for side in zip(*pairs, strict=True):
            assert len(side) == len(set(side))
        for frame, truth in pairs:
            assert abs(frame - truth) <= tolerance
            assert abs(frame - truth) == np.abs(frames - truth).min()
        unpaired = set(truths.tolist()) - {truth for _, truth in pairs}
        truth_of = dict(pairs)
        for truth in unpaired:
            near = np.abs(frames - truth)
            nearest = frames[near == near.min()].tolist()
            assert near.min() > tolerance or any(
                abs(truth_of[frame] - frame) <= near.min()
                for frame in nearest
                if frame in truth_of
            )


def test_pairs_do_not_depend_on_which_rate_is_higher():
    fast, slow = messages(range(0, 100, 5)), messages(range(1, 100, 20))
    pairs = [(1, 0), (21, 20), (41, 40), (61, 60), (81, 80)]
    assert pairs_of(slow, fast, 2) == pairs
    assert [(truth, frame) for frame, truth in pairs_of(fast, slow, 2)] == pairs


def all_equal(times, _rng):
    return np.full_like(times, 3 * 10**9)


def some_repeated(times, rng):
    stamps = times.copy()
    for index in rng.choice(np.arange(1, len(times)), len(times) // 5, replace=False):
        stamps[index] = stamps[index - 1]
    return stamps


def restarted(times, rng):
    start = int(rng.integers(3, len(times) - 3))
    return np.where(times < times[start], times, times - times[start] + times[0])


def seconds_only(times, _rng):
    return times // 10**9 * 10**9


@pytest.mark.parametrize('seed', range(8))
@pytest.mark.parametrize('stamps_of', [all_equal, some_repeated, restarted, seconds_only])
def test_messages_of_one_time_are_paired_whatever_their_stamps_are(stamps_of, seed):
    """The recording of each topic has a delay of its own, with some jitter."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(8, 60))
    times = np.cumsum(rng.integers(80, 120, count)) * MS
    stamps = stamps_of(times, rng)
    first, second = (
        Messages.of(split_runs(stamps, times + rng.integers(low, low + 8, count) * MS))
        for low in (0, 7)
    )
    pairs = list(first.pair(second, 25 * MS, by_order=False))
    assert all(one == other for one, other, _ in pairs)
    assert len(pairs) == count


@pytest.mark.parametrize(
    ('stamps', 'starts'),
    [
        ([], []),
        ([5], [0]),
        ([1, 2, 3, 4], [0]),
        ([1, 2, 2, 3, 3, 3], [0]),
        # Messages that were recorded too late.
        ([1, 3, 2, 4, 5], [0]),
        ([1, 4, 2, 3, 5], [0]),
        ([1, 2, 4, 3], [0]),
        ([3, 2, 5, 4, 7, 6, 9], [0]),
        # Restarts.
        ([1, 2, 3, 1, 2, 3], [0, 3]),
        ([11, 12, 13, 14, 1, 2, 3], [0, 4]),
        ([1, 2, 1, 2, 3, 4], [0, 2]),
        ([1, 2, 3, 4, 1, 2, 3, 1, 2], [0, 4, 7]),
        ([1, 2, 3, 1], [0, 3]),
        ([0, 0, 0, 0], [0]),
    ],
)
def test_a_run_ends_where_the_stamps_start_again(stamps, starts):
    assert [run.start for run in split_runs(stamps, range(len(stamps)))] == starts


def test_arbitrary_stamps_are_one_run_without_stamps():
    stamps = np.random.default_rng(0).permutation(1000).tolist()
    (run,) = split_runs(stamps, range(1000))
    assert not run.has_stamps


def test_stamps_are_estimated_with_the_delay_of_the_neighbours():
    stamps = np.array([100, 200, 200, 400, 500]) * MS
    recorded = np.array([110, 210, 310, 410, 530]) * MS + 17 * 10**17
    run = Run(0, stamps, recorded)
    assert run.repeated.tolist() == [False, False, True, False, False]
    assert (run.times_ns // MS).tolist() == [100, 200, 300, 400, 500]
    assert (run.stamps_at(recorded[[0, -1]] + [-50 * MS, 50 * MS]) // MS).tolist() == [50, 550]


def track(path, stamps_ms, recorded_ms, topic='/t'):
    """Return the track of a closed bag that is open for reading; None is a broken message."""
    with BagWriter(path) as bag:
        for stamp, recorded in zip(stamps_ms, recorded_ms, strict=True):
            point = build_message('geometry_msgs/msg/PointStamped', header=header(0, 'here'))
            if stamp is None:
                bag.write_cdr(topic, 'geometry_msgs/msg/PointStamped', BROKEN, recorded * MS)
                continue
            point.header.stamp.sec, nanoseconds = divmod(stamp * MS, 10**9)
            point.header.stamp.nanosec = nanoseconds
            bag.write(topic, point, recorded * MS)
    return Track(BagReader(path).__enter__(), topic)


def places(matching):
    return [(each.first.place, each.second.place) for each in matching.matches]


@pytest.fixture
def tracks(tmp_path):
    """Return the tracks of two bags; each is a list of stamps and one of times of recording."""
    open_bags = []

    def create(*sides):
        for number, side in enumerate(sides):
            open_bags.append(track(tmp_path / f'{len(open_bags)}_{number}', *side))
        return open_bags[-2:]

    yield create
    for each in open_bags:
        each.bag.__exit__(None, None, None)


def test_a_broken_message_keeps_its_place(tracks):
    one, other = tracks(([10, None, 30], [10, 20, 30]), ([10, 20, 30], [10, 20, 30]))
    assert places(match(one, other)) == [(0, 0), (2, 2)]


@pytest.mark.parametrize('later_ms', [0, 4, 10**9])
def test_each_run_is_matched_with_its_own(tracks, later_ms):
    """Also if the other bag was recorded at another time."""
    stamps, recorded = [10, 20, 30, 10, 20, 30], [10, 20, 30, 110, 120, 130]
    one, other = tracks((stamps, recorded), (stamps, [later_ms + time for time in recorded]))
    matching = match(one, other)
    assert places(matching) == [(index, index) for index in range(6)]
    assert [each.run for each in matching.matches] == [1, 1, 1, 2, 2, 2]
    assert all('go back 1 time:' in note for note in matching.notes)


def test_runs_with_similar_stamps_are_not_mixed(tracks):
    one, other = tracks(
        ([0, 100, 200, 4, 104, 204], [0, 100, 200, 1000, 1100, 1200]),
        ([3, 103, 203, 7, 107, 207], [3, 103, 203, 1003, 1103, 1203]),
    )
    assert places(match(one, other, 25 * MS)) == [(index, index) for index in range(6)]


def test_a_run_without_counterpart_is_left_out(tracks):
    recorded = [0, 100, 200, 1000, 1100, 1200, 2000, 2100, 2200]
    stamps = [0, 100, 200] * 3
    one, other = tracks(
        (stamps[:6], recorded[:6]), (stamps[3:], [time + 3 for time in recorded[3:]])
    )
    assert places(match(one, other)) == [(3, 0), (4, 1), (5, 2)]


def test_late_messages_in_a_row_do_not_lose_matches(tracks):
    late = [0, 100, 900, *range(200, 900, 100), 1000, 1100]
    recorded = [0, 100, 900, *range(910, 980, 10), 1000, 1100]
    plain = sorted(late)
    one, other = tracks((late, recorded), (plain, plain))
    assert len(one.runs) == 2
    assert len(match(one, other, MS).matches) == len(plain)


def test_without_stamps_and_a_common_clock_the_order_decides(tracks):
    one, other = tracks(([0, 0, 0], [10, 20, 30]), ([0, 0, 0], [5000, 5900, 6000]))
    matching = match(one, other)
    assert places(matching) == [(0, 0), (1, 1), (2, 2)]
    assert 'paired by order' in matching.notes[0]
    one, other = tracks(([0, 0, 0], [10, 20, 30]), ([0, 0], [5000, 5900]))
    with pytest.raises(InputError, match=r'cannot be matched.*3 and 2 messages'):
        match(one, other)


def test_different_runs_without_a_common_clock_cannot_be_matched(tracks):
    one, other = tracks(
        ([10, 20, 30, 10, 20, 30], [10, 20, 30, 40, 50, 60]), ([10, 20, 30], [910, 920, 930])
    )
    with pytest.raises(InputError, match='start again 1 and 0 times'):
        match(one, other)


def test_matches_are_in_the_order_of_the_first_track(tracks):
    one, other = tracks(([10, 30, 20, 40], [10, 20, 30, 40]), ([10, 20, 30, 40], [1, 2, 3, 4]))
    found = match(one, other).matches
    assert all(a.first.place < b.first.place for a, b in pairwise(found))
    assert places(match(one, other)) == [(0, 0), (1, 2), (2, 1), (3, 3)]
