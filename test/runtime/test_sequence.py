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


def sequence_with(*tags, policy=None):
    sequence = Sequence(policy)
    return sequence, [sequence.add(each) for each in tags]


def test_ordinary_frames_stay_in_one_sequence():
    jitter = [0.0, 0.033, 0.090, 0.091, 0.091, 1.9, 2.0]
    _, positions = sequence_with(*map(tag, jitter))
    assert [position.frames_since_reset for position in positions] == list(range(7))
    assert {position.sequence_id for position in positions} == {0}
    reasons = [position.reset_reason for position in positions]
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
def test_new_sequence_starts(following, reason):
    sequence, _ = sequence_with(tag(10.0))
    position = sequence.add(following)
    assert (position.sequence_id, position.frames_since_reset, position.reset_reason) == (
        1,
        0,
        reason,
    )
    after = sequence.add(following)
    assert (after.sequence_id, after.frames_since_reset, after.reset_reason) == (1, 1, '')


def test_missing_camera_matrix_starts_no_new_sequence():
    sequence, _ = sequence_with(tag(0.0, camera_matrix=None))
    for each in (tag(0.1), tag(0.2, camera_matrix=None), tag(0.3)):
        assert not sequence.add(each).reset_reason
    sequence.add(tag(0.4, camera_matrix=None))
    changed = tag(0.5, camera_matrix=(501.0, *K[1:]))
    assert sequence.add(changed).reset_reason is ResetReason.GEOMETRY_CHANGED


def test_zero_max_gap_disables_the_gap_check():
    policy = SequencePolicy(max_gap_s=0.0)
    _, positions = sequence_with(tag(0.0), tag(1e6), policy=policy)
    assert not positions[1].reset_reason


def test_stamp_back_within_tolerance_is_stale_and_keeps_the_state():
    sequence, _ = sequence_with(tag(10.0), policy=SequencePolicy(backward_tolerance_s=0.5))
    with pytest.raises(StaleFrameError, match=r'0\.400 s, within the tolerance of 0\.500 s'):
        sequence.add(tag(9.6))
    assert sequence.add(tag(10.1)).frames_since_reset == 1
    assert sequence.add(tag(9.5)).reset_reason is ResetReason.STAMP_BACK


def test_reset_is_applied_once_with_the_first_reason():
    sequence, _ = sequence_with(tag(0.0))
    sequence.request_reset(ResetReason.CLOCK_JUMP)
    sequence.request_reset(ResetReason.REQUESTED)
    assert sequence.add(tag(0.1)).reset_reason is ResetReason.CLOCK_JUMP
    assert not sequence.add(tag(0.2)).reset_reason


def test_reset_before_the_first_frame_has_reason_first_frame():
    sequence = Sequence()
    sequence.request_reset(ResetReason.REQUESTED)
    assert sequence.add(tag(0.0)).reset_reason is ResetReason.FIRST_FRAME
    assert not sequence.add(tag(0.1)).reset_reason
