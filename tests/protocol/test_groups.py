"""Groups: turns, leases and lines (take_slices, release_groups)."""

from __future__ import annotations

from itertools import permutations

import pytest

from tests.support.queue import Queue
from tests.support.session import Claimed, Session


def test_a_group_is_never_served_by_two(queue: Queue) -> None:
    """E8, E7: not while the first claim is open, and not after it."""
    queue.eye.deploy("PING")
    queue.eye.enqueue("PING", job_group="a")
    queue.eye.enqueue("PING", job_group="a")
    one, two = queue.session(), queue.session()
    first_worker, second_worker = one.register(), two.register()
    one.begin()
    assert len(one.claim(first_worker)) == 1
    assert two.claim(second_worker) == []
    one.commit()
    assert two.claim(second_worker) == []
    assert queue.count("running") == 1


def test_a_group_excludes_over_definitions_and_channels(queue: Queue) -> None:
    """E8: the lock is the group's, wherever its jobs stand."""
    queue.eye.deploy("PING", p_channel="one")
    queue.eye.deploy("PONG", p_channel="two", p_priority=3)
    queue.eye.enqueue("PING", job_group="a")
    queue.eye.enqueue("PONG", job_group="a")
    one, two = queue.eye.register(), queue.eye.register()
    channels = dict(queue.eye.rows("select name, id from {schema}.channel"))
    held = queue.eye.claim(one, channel_ids=[channels["one"]])
    assert len(held) == 1
    assert queue.eye.claim(two, channel_ids=[channels["two"]]) == []
    queue.eye.succeed(one, held)
    assert len(queue.eye.claim(two, channel_ids=[channels["two"]])) == 1


def test_other_groups_do_not_wait(queue: Queue) -> None:
    queue.eye.deploy("PING")
    queue.eye.enqueue_many("PING", ["1"] * 4, ["a", "a", "b", None])
    one, two = queue.session(), queue.session()
    one.begin()
    (job,) = one.claim(one.register(), limit=1)
    assert job.job_group == "a"
    assert {job.job_group for job in two.claim(two.register())} == {"b", None}
    one.commit()


def test_a_group_is_first_in_first_out(queue: Queue) -> None:
    """E5: in slices of any size, by the order of enqueue."""
    queue.eye.deploy("PING")
    job_ids = [queue.eye.enqueue("PING", job_group="a") for _ in range(12)]
    worker_id = queue.eye.register()
    taken: list[int] = []
    for size in (1, 4, 2, 100):
        jobs = queue.eye.claim(worker_id, slice=size)
        assert len(jobs) <= size
        taken += [job.job_id for job in jobs]
        queue.eye.succeed(worker_id, jobs)
    assert taken == job_ids


def test_groups_share_fairly(queue: Queue) -> None:
    """A group that was served goes to the tail, however long its line is."""
    queue.eye.deploy("PING")
    queue.eye.enqueue_many("PING", ["1"] * 6, ["a"] * 6)
    queue.eye.enqueue_many("PING", ["1"] * 2, ["b"] * 2)
    worker_id = queue.eye.register()
    served: list[str | None] = []
    while jobs := queue.eye.claim(worker_id, limit=1):
        served += [job.job_group for job in jobs]
        queue.eye.succeed(worker_id, jobs)
    assert served == ["a", "b", "a", "b", "a", "a", "a", "a"]


def test_a_release_says_when_the_line_is_empty(queue: Queue) -> None:
    """I14: `emptied` for a group that nobody waits in, and nothing of it is left."""
    queue.eye.deploy("PING")
    queue.eye.enqueue_many("PING", ["1", "2"], ["a", "a"])
    worker_id = queue.eye.register()
    assert queue.eye.succeed(worker_id, queue.eye.claim(worker_id)) == {}
    jobs = queue.eye.claim(worker_id)
    assert queue.eye.succeed(worker_id, jobs) == {queue.group_hash("a"): "emptied"}
    assert queue.counts() == {}


def test_a_dropped_turn_is_made_good_by_the_release(queue: Queue) -> None:
    """A turn met while its group is leased is dropped; the release looks afterwards."""
    queue.eye.deploy("PING")
    queue.eye.enqueue("PING", job_group="a")
    worker_id = queue.eye.register()
    jobs = queue.eye.claim(worker_id)
    late = queue.eye.enqueue("PING", job_group="a")
    assert queue.eye.claim(queue.eye.register()) == []
    assert queue.count("ready") == 0
    queue.eye.succeed(worker_id, jobs)
    assert [job.job_id for job in queue.eye.claim(worker_id)] == [late]


@pytest.mark.parametrize("order", list(permutations(["enqueue", "drop", "release"])))
@pytest.mark.parametrize("commits", list(permutations(["enqueue", "drop", "release"])))
def test_no_wake_up_is_lost(queue: Queue, order: tuple[str, ...], commits: tuple[str, ...]) -> None:
    """E8, M4: enqueue, a claim that meets the turn, and the release, begun and ended in every order.

    A step that has to wait for another does so; whatever the interleaving, the job put in is claimed
    in the end, by itself, with nobody enqueueing anything more.
    """
    queue.eye.deploy("PING")
    queue.eye.enqueue("PING", job_group="a")
    holder = queue.eye.register()
    held = queue.eye.claim(holder)
    earlier = queue.eye.enqueue("PING", job_group="a")
    other = queue.eye.register()
    claimed: list[Claimed] = []
    late: list[int] = []

    def act(session: Session, what: str) -> None:
        if what == "enqueue":
            late.append(session.enqueue("PING", job_group="a"))
        elif what == "drop":
            claimed.extend(session.claim(other, slice=10))
        else:
            session.succeed(holder, held)

    sessions = {what: queue.session() for what in order}
    steps = {}
    for what in order:
        sessions[what].begin()
        steps[what] = sessions[what].start(act, sessions[what], what)
        if what == "release" and "drop" in steps and order.index("drop") < order.index("release"):
            queue.wait_until_blocked(sessions["release"], by=sessions["drop"])
        else:
            steps[what].result(timeout=10)
    for what in sorted(commits, key=lambda what: (not steps[what].done(), commits.index(what))):
        steps[what].result(timeout=10)
        sessions[what].commit()

    queue.make_due()
    for _ in range(3):
        queue.eye.succeed(other, claimed)
        claimed.clear()
        claimed += queue.eye.claim(other, slice=10)
    assert queue.counts() == {}
    assert {queue.state(job_id) for job_id in (earlier, *late)} == {"succeeded"}


def test_a_claim_passes_over_a_group_that_is_being_released(queue: Queue) -> None:
    """It neither waits nor drops the turn: the turn is still there afterwards."""
    queue.eye.deploy("PING")
    queue.eye.enqueue("PING", job_group="a")
    worker_id = queue.eye.register()
    held = queue.eye.claim(worker_id)
    late = queue.eye.enqueue("PING", job_group="a")
    one = queue.session()
    one.begin()
    one.succeed(worker_id, held)
    assert queue.eye.claim(queue.eye.register()) == []
    assert queue.count("ready") == 1
    one.rollback()
    assert queue.counts() == {"job": 2, "ready": 1, "waiting": 1, "running": 1, "group_lease": 1}
    queue.eye.succeed(worker_id, held)
    assert [job.job_id for job in queue.eye.claim(worker_id)] == [late]


def test_a_release_that_is_rolled_back_ends_nothing(queue: Queue) -> None:
    """E8: the lease stands as before, and so does the job that runs under it."""
    queue.eye.deploy("PING")
    queue.eye.enqueue_many("PING", ["1", "2"], ["a", "a"])
    worker_id = queue.eye.register()
    held = queue.eye.claim(worker_id)
    one = queue.session()
    one.begin()
    one.succeed(worker_id, held)
    one.rollback()
    assert queue.eye.claim(queue.eye.register()) == []
    assert queue.state(held[0].job_id) == "running"
    assert queue.eye.succeed(worker_id, held) == {}


def test_only_the_holder_ends_a_lease(queue: Queue) -> None:
    """E15: a stranger's release changes nothing."""
    queue.eye.deploy("PING")
    queue.eye.enqueue_many("PING", ["1", "2"], ["a", "a"])
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id)
    assert queue.eye.settle(queue.eye.register(), [], [queue.group_hash("a")]) == {}
    assert queue.count("group_lease") == 1


def test_stale_turns_find_an_empty_line_and_vanish(queue: Queue) -> None:
    queue.eye.deploy("PING")
    for _ in range(5):
        queue.eye.enqueue("PING", job_group="a")
    worker_id = queue.eye.register()
    queue.eye.succeed(worker_id, queue.eye.claim(worker_id, limit=5, slice=5))
    while jobs := queue.eye.claim(worker_id, slice=5):
        queue.eye.succeed(worker_id, jobs)
    assert queue.eye.claim(worker_id) == []
    assert queue.counts() == {}


def test_a_turn_of_unknown_names_is_put_off_not_spun(queue: Queue) -> None:
    """F9: it comes back in a second, as one turn, however often it was tried."""
    known = queue.eye.deploy("KNOWN")
    queue.eye.deploy("ORPHAN")
    queue.eye.enqueue("ORPHAN", job_group="a")
    worker_id = queue.eye.register()
    for _ in range(5):
        assert queue.eye.claim(worker_id, [known]) == []
        assert queue.eye.claim(worker_id, [known]) == []
        assert queue.counts() == {"job": 1, "waiting": 1, "scheduled": 1}
        assert 0 < queue.eye.value("select {schema}.secs_until_due(null)") <= 1
        queue.make_due()


def test_a_job_behind_an_unknown_one_of_its_group_is_served(queue: Queue) -> None:
    """F9, E8: a name that nobody here knows does not hold up the group."""
    known = queue.eye.deploy("KNOWN")
    queue.eye.deploy("ORPHAN")
    queue.eye.enqueue("ORPHAN", job_group="a")
    mine = queue.eye.enqueue("KNOWN", job_group="a")
    assert [job.job_id for job in queue.eye.claim(queue.eye.register(), [known])] == [mine]


def test_an_unknown_job_of_a_higher_priority_does_not_starve_its_group(queue: Queue) -> None:
    """F9: the group has turns in two lanes, and the first of them gives nothing to this worker."""
    known = queue.eye.deploy("KNOWN")
    queue.eye.deploy("ORPHAN", p_priority=10)
    queue.eye.enqueue("ORPHAN", job_group="a")
    mine = queue.eye.enqueue("KNOWN", job_group="a")
    worker_id = queue.eye.register()
    taken = [job.job_id for job in queue.eye.claim(worker_id, [known])]
    assert taken == [mine]


def test_putting_off_adds_no_turns_in_lanes_of_others(queue: Queue) -> None:
    """F9: only what was tried is put off, so turns nobody takes do not pile up."""
    known = queue.eye.deploy("KNOWN", p_channel="mine")
    queue.eye.deploy("ORPHAN", p_channel="mine")
    queue.eye.deploy("OTHER", p_channel="theirs")
    queue.eye.enqueue("ORPHAN", job_group="a")
    queue.eye.enqueue("OTHER", job_group="a")
    channel_id = queue.eye.value("select id from {schema}.channel where name = 'mine'")
    worker_id = queue.eye.register()
    for _ in range(10):
        assert queue.eye.claim(worker_id, [known], channel_ids=[channel_id]) == []
        queue.make_due()
    assert queue.count("scheduled") + queue.count("ready") == 2


def test_a_slice_takes_the_higher_priority_first(queue: Queue) -> None:
    """E6: within a group as well."""
    queue.eye.deploy("PING")
    low = queue.eye.enqueue("PING", job_group="a")
    high = queue.eye.enqueue("PING", job_group="a", priority=5)
    worker_id = queue.eye.register()
    taken: list[int] = []
    while jobs := queue.eye.claim(worker_id, slice=10):
        taken += [job.job_id for job in jobs]
        queue.eye.succeed(worker_id, jobs)
    assert taken == [high, low]


def test_a_job_that_someone_cancels_at_this_moment_is_passed_over(queue: Queue) -> None:
    """Its line gives nothing to a claim meanwhile, and the turn comes back afterwards."""
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING", job_group="a")
    one = queue.session()
    one.begin()
    assert one.cancel(job_id) == "cancelled"
    worker_id = queue.eye.register()
    assert queue.eye.claim(worker_id) == []
    one.rollback()
    queue.make_due()
    assert [job.job_id for job in queue.eye.claim(worker_id)] == [job_id]


def seats(queue: Queue) -> int:
    return queue.count("group_lease")


def test_a_group_may_be_served_by_several(queue: Queue) -> None:
    """E21: by as many as it is told, also by one worker; each claim takes one seat, in order of the line."""
    queue.eye.deploy("PING")
    job_ids = [queue.eye.enqueue("PING", job_group="a") for _ in range(9)]
    queue.eye.rows("select {schema}.limit_group('a', 3)")
    one, two = queue.eye.register(), queue.eye.register()
    held = [queue.eye.claim(worker_id) for worker_id in (one, two, one, two, one)]
    assert [[job.job_id for job in jobs] for jobs in held] == [[each] for each in job_ids[:3]] + [[], []]
    assert len({jobs[0].group_hash for jobs in held[:3]}) == 3
    assert queue.eye.problems() == []
    queue.eye.succeed(one, held[0])
    assert seats(queue) == 2
    assert [job.job_id for job in queue.eye.claim(two)] == [job_ids[3]]
    assert queue.eye.claim(two) == []


def test_the_seats_of_a_lost_worker_alone_are_given_back(queue: Queue) -> None:
    """E21, E11: the other goes on; and the group is told empty only when nobody serves it."""
    queue.eye.deploy("PING", p_num_stalls=5)
    queue.eye.rows("select {schema}.limit_group('a', 2)")
    first, second = (queue.eye.enqueue("PING", job_group="a") for _ in range(2))
    lost, alive = queue.eye.register(), queue.eye.register()
    assert [job.job_id for job in queue.eye.claim(lost)] == [first]
    kept = queue.eye.claim(alive)
    assert [job.job_id for job in kept] == [second]
    queue.silence(lost)
    assert queue.eye.rescue() == {first: "queued"}
    assert seats(queue) == 1
    again = queue.eye.claim(alive)
    assert [job.job_id for job in again] == [first]
    assert queue.eye.succeed(alive, kept) == {}
    assert queue.eye.succeed(alive, again) == {again[0].group_hash: "emptied"}


def test_fewer_seats_are_kept_to_as_soon_as_they_are_free(queue: Queue) -> None:
    """E21: those that are taken stay taken until their slice is done."""
    queue.eye.deploy("PING")
    queue.eye.rows("select {schema}.limit_group('a', 3)")
    for _ in range(9):
        queue.eye.enqueue("PING", job_group="a")
    worker_id = queue.eye.register()
    held = [queue.eye.claim(worker_id) for _ in range(3)]
    queue.eye.rows("select {schema}.limit_group('a', 1)")
    assert queue.eye.claim(worker_id) == []
    queue.eye.succeed(worker_id, held[1])
    queue.eye.succeed(worker_id, held[2])
    assert queue.eye.claim(worker_id) == []
    queue.eye.succeed(worker_id, held[0])
    assert len(queue.eye.claim(worker_id)) == 1
    assert queue.eye.claim(worker_id) == []


def test_groups_are_served_in_turn(queue: Queue) -> None:
    """E21: one that floods its line gets no more turns than another."""
    queue.eye.deploy("PING")
    queue.eye.enqueue_many("PING", ["1"] * 300, ["flood"] * 300)
    for name in ("a", "b"):
        queue.eye.enqueue_many("PING", ["1"] * 5, [name] * 5)
    worker_id = queue.eye.register()
    order: list[str | None] = []
    for _ in range(15):
        (job,) = queue.eye.claim(worker_id, limit=1)
        order.append(job.job_group)
        queue.eye.succeed(worker_id, [job])
    assert {name: order.count(name) for name in ("flood", "a", "b")} == {"flood": 5, "a": 5, "b": 5}
