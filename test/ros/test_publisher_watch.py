from flashdepth_ros.ros.publisher_watch import PublisherWatch

A, B = b'a' * 16, b'b' * 16


def feed(watch, sequences, gid=None, publishers=1, start_s=0.0, period_s=0.1):
    return [
        watch.check_message(sequence, gid, publishers, start_s + index * period_s)
        for index, sequence in enumerate(sequences)
    ]


def test_steady_publisher_is_followed_and_gaps_are_counted():
    arrivals = feed(PublisherWatch(), [17, 18, 21, 22])
    assert all(arrival.followed and not arrival.restarted for arrival in arrivals)
    assert [arrival.lost for arrival in arrivals] == [0, 0, 2, 0]


def test_lower_sequence_number_is_a_restart():
    arrivals = feed(PublisherWatch(), [17, 18, 1, 2, 4])
    assert [arrival.restarted for arrival in arrivals] == [False, False, True, False, False]
    assert [arrival.lost for arrival in arrivals] == [0, 0, 0, 0, 1]


def test_publisher_that_left_and_returned_is_a_restart_with_any_number():
    watch = PublisherWatch()
    feed(watch, [1, 2])
    watch.check_count(0)
    watch.check_count(1)
    first, second = feed(watch, [5, 6], start_s=3.0)
    assert (first.restarted, first.lost) == (True, 0)
    assert not second.restarted


def test_no_publishers_before_the_first_message_is_no_restart():
    watch = PublisherWatch()
    watch.check_count(0)
    assert not feed(watch, [4])[0].restarted


def test_other_gid_is_ignored_while_the_followed_publisher_sends():
    watch = PublisherWatch()
    feed(watch, range(1, 6), A, publishers=2)
    assert not watch.check_message(6, B, 2, 0.45).followed
    assert watch.check_message(6, A, 2, 0.5).lost == 0
    taken_over = watch.check_message(9, B, 2, 1.2)
    assert taken_over.followed
    assert taken_over.restarted
    assert not watch.check_message(7, A, 2, 1.3).followed


def test_other_gid_of_the_only_publisher_is_a_restart_at_once():
    watch = PublisherWatch()
    feed(watch, [1, 2], A)
    assert watch.check_message(3, B, 1, 0.21).restarted


def test_without_gid_sequence_numbers_distinguish_publishers():
    watch = PublisherWatch()
    arrivals = []
    for index in range(10):
        arrivals.append(watch.check_message(5000 + index, None, 2, 0.1 * index))
        arrivals.append(watch.check_message(7 + index, None, 2, 0.1 * index + 0.05))
        arrivals.append(watch.check_message(90000 + index, None, 2, 0.1 * index + 0.06))
    assert [arrival.followed for arrival in arrivals] == 10 * [True, False, False]
    assert not any(arrival.restarted or arrival.lost for arrival in arrivals)


def test_slow_publisher_stays_followed():
    watch = PublisherWatch()
    feed(watch, [10, 11, 12], publishers=2, period_s=1.0)
    assert not watch.check_message(3, None, 2, 2.9).followed
    assert watch.check_message(13, None, 2, 3.0).followed


def test_publisher_without_sequence_numbers_is_followed():
    arrivals = feed(PublisherWatch(), [None, None, None])
    assert all(arrival.followed for arrival in arrivals)
    assert not any(arrival.restarted or arrival.lost for arrival in arrivals)


def test_killed_publisher_still_in_the_graph_is_replaced_with_any_number():
    watch = PublisherWatch()
    for sequence in range(1, 6):
        watch.check_message(sequence, None, 1, 0.1 * sequence)
    arrival = watch.check_message(20, None, 2, 3.0)
    assert (arrival.followed, arrival.restarted, arrival.lost) == (True, True, 0)
