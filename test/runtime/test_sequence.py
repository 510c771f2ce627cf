import pytest

from flashdepth_ros.runtime.sequence import (
    FrameTag,
    ResetReason,
    Sequence,
    SequencePolicy,
    StaleFrameError,
)

K = (500.0, 0.0, 320.0, 0.0, 500.0, 240.0, 0.0, 0.0, 1.0)


def tag(seconds, **changes):
    known = {'height': 480, 'width': 640, 'frame_id': 'camera', 'camera_matrix': K}
    return FrameTag(stamp_ns=round(seconds * 1e9), **(known | changes))


def started(*tags, policy=None):
    sequence = Sequence(policy)
    return sequence, [sequence.enter(each) for each in tags]


def test_ordinary_frames_stay_in_one_sequence():
    jitter = [0.0, 0.033, 0.090, 0.091, 0.091, 1.9, 2.0]
    _, places = started(*map(tag, jitter))
    assert [place.frames_since_reset for place in places] == list(range(7))
    assert {place.sequence_id for place in places} == {0}
    reasons = [place.reset_reason for place in places]
    assert reasons == [ResetReason.FIRST_FRAME] + 6 * [ResetReason.NONE]


@pytest.mark.parametrize(
    ('following', 'reason'),
    [
        (tag(9.99), ResetReason.STAMP_BACK),
        (tag(12.01), ResetReason.GAP),
        (tag(10.1, width=320), ResetReason.GEOMETRY_CHANGED),
        (tag(10.1, height=320), ResetReason.GEOMETRY_CHANGED),
        (tag(10.1, frame_id='other'), ResetReason.GEOMETRY_CHANGED),
        (tag(10.1, camera_matrix=(501.0, *K[1:])), ResetReason.GEOMETRY_CHANGED),
    ],
)
def test_breaks_between_frames(following, reason):
    sequence, _ = started(tag(10.0))
    place = sequence.enter(following)
    assert (place.sequence_id, place.frames_since_reset, place.reset_reason) == (1, 0, reason)
    after = sequence.enter(following)
    assert (after.sequence_id, after.frames_since_reset, after.reset_reason) == (1, 1, '')


def test_camera_matrix_that_comes_late_or_pauses_changes_nothing():
    sequence, _ = started(tag(0.0, camera_matrix=None))
    for each in (tag(0.1), tag(0.2, camera_matrix=None), tag(0.3)):
        assert not sequence.enter(each).reset_reason
    sequence.enter(tag(0.4, camera_matrix=None))
    changed = tag(0.5, camera_matrix=(501.0, *K[1:]))
    assert sequence.enter(changed).reset_reason is ResetReason.GEOMETRY_CHANGED


def test_gap_of_zero_means_never():
    policy = SequencePolicy(max_gap_s=0.0)
    _, places = started(tag(0.0), tag(1e6), policy=policy)
    assert not places[1].reset_reason


def test_stamp_back_within_the_tolerance_is_stale_and_changes_nothing():
    sequence, _ = started(tag(10.0), policy=SequencePolicy(backward_tolerance_s=0.5))
    with pytest.raises(StaleFrameError, match=r'0\.400 s, within the tolerance of 0\.500 s'):
        sequence.enter(tag(9.6))
    assert sequence.enter(tag(10.1)).frames_since_reset == 1
    assert sequence.enter(tag(9.5)).reset_reason is ResetReason.STAMP_BACK


def test_request_counts_once_and_the_first_one_stays():
    sequence, _ = started(tag(0.0))
    sequence.request(ResetReason.CLOCK_JUMP)
    sequence.request(ResetReason.REQUESTED)
    assert sequence.enter(tag(0.1)).reset_reason is ResetReason.CLOCK_JUMP
    assert not sequence.enter(tag(0.2)).reset_reason


def test_request_before_the_first_frame_is_the_first_frame():
    sequence = Sequence()
    sequence.request(ResetReason.REQUESTED)
    assert sequence.enter(tag(0.0)).reset_reason is ResetReason.FIRST_FRAME
    assert not sequence.enter(tag(0.1)).reset_reason
