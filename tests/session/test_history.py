from analytic import BlobGenerator

from draggan_widget.session.history import LIMIT, History, Snapshot
from draggan_widget.session.snapshots import seed_state

GENERATOR = BlobGenerator()


def snapshot(seed: int) -> Snapshot:
    return seed_state(GENERATOR, seed, 0.7)


def test_a_new_history_has_nothing_to_undo_or_redo():
    history, now = History(), snapshot(0)
    assert not history.can_undo
    assert history.branches == 0
    assert history.undo(now) is None
    assert history.redo(now) is None


def test_undo_and_redo_walk_the_same_states_back_and_forth():
    history, states = History(), [snapshot(seed) for seed in range(4)]
    for state in states[:-1]:
        history.push(state)
    now = states[-1]
    for expected in reversed(states[:-1]):
        now = history.undo(now)
        assert now is expected
    assert not history.can_undo
    for expected in states[1:]:
        now = history.redo(now)
        assert now is expected
    assert history.branches == 0


def test_a_change_after_an_undo_starts_a_branch_and_keeps_the_other():
    history, first, second, third = History(), snapshot(1), snapshot(2), snapshot(3)
    history.push(first)
    assert history.undo(second) is first
    history.push(first)
    assert history.branches == 0
    assert history.undo(third) is first
    assert history.branches == 2
    assert history.redo(first, 0) is second
    assert history.undo(second) is first
    assert history.redo(first) is second  # the branch one was on last
    assert history.undo(second) is first
    assert history.redo(first, 0) is third


def test_a_branch_that_does_not_exist_is_not_taken():
    history, first, second = History(), snapshot(1), snapshot(2)
    history.push(first)
    history.undo(second)
    assert history.redo(first, 1) is None
    assert history.redo(first, -2) is None
    assert history.redo(first, 0) is second


def test_only_the_newest_states_are_kept():
    history, states = History(), [snapshot(0)] * 3 + [snapshot(1)] * LIMIT
    for state in states:
        history.push(state)
    count = 0
    while (state := history.undo(states[-1])) is not None:
        count += 1
        assert state.seed == 1
    assert count == LIMIT
