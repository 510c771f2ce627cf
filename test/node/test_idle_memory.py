"""Freed memory is returned once in each pause and at each change of the engine."""

import pytest

from flashdepth_ros.node.idle_memory import IdleMemory


@pytest.fixture
def returned():
    """A function that checks every second and returns when memory was returned."""

    def check(images_s, engines=(), seconds=30):
        moments, now_s = [], 0
        memory = IdleMemory(lambda: moments.append(now_s))
        memory.check('torch', 0.0, 0.0)
        moments.clear()
        for now_s in range(1, seconds + 1):
            last_s = max((float(each) for each in images_s if each <= now_s), default=0.0)
            changes = [name for since_s, name in engines if since_s <= now_s]
            memory.check(changes[-1] if changes else 'torch', last_s, float(now_s))
        return moments

    return check


def test_nothing_is_returned_without_images_or_while_they_arrive(returned):
    assert returned([]) == []
    assert returned(range(1, 31)) == []


def test_memory_is_returned_once_in_each_pause(returned):
    assert returned([*range(1, 5), *range(15, 20)]) == [8, 23]


def test_memory_is_returned_when_another_engine_runs(returned):
    assert returned(range(1, 31), [(5, 'openvino'), (9, 'torch'), (20, 'openvino')]) == [5, 9, 20]
