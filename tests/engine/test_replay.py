"""A record's drags made again, without a session."""

import numpy as np
import torch
from analytic import BlobGenerator
from engine.helpers import EDIT, START, settings
from engine.test_record import record as two_drags

from draggan_widget import Edit
from draggan_widget.engine.replay import Replay, Segment, split_segments

OTHER = Edit(EDIT.handles, ((30.0, 20.0),))


def replayed(segments: tuple[Segment, ...], **changes: object) -> tuple[Replay, list]:
    generator = BlobGenerator()
    replay = Replay(segments)
    return replay, list(replay.steps(generator, generator.ws_at(*START), settings(generator, **changes)))


def test_a_record_s_legs_say_when_each_edit_was_sent():
    record = two_drags()
    first, second = split_segments(record.steps)
    one, two = record[0].edit, record[3].edit
    assert (first.count, first.ended, first.edits) == (5, False, ((0, one), (3, two)))
    assert (second.count, second.ended, second.edits) == (2, False, ((0, two),))  # its cap


def test_a_record_without_its_beginning_is_one_segment_from_where_it_begins():
    assert [(segment.count, segment.edits[0][0]) for segment in split_segments(two_drags()[2:5])] == [(3, 0)]


def test_a_segment_that_ended_by_itself_goes_on_until_it_does_so_again():
    due = len(replayed((Segment(3, True, ((0, EDIT),)),))[1])
    assert due > 10
    for count in (due - 1, due, due + 50):
        replay, steps = replayed((Segment(count, True, ((0, EDIT),)),))
        assert (len(steps), steps[-1].ended, replay.more) == (due, "arrived", False)


def test_a_segment_that_ends_earlier_than_recorded_hands_over_to_the_next():
    _, steps = replayed((Segment(500, False, ((0, EDIT), (400, OTHER))), Segment(4, False, ((0, OTHER),))))
    first = next(place for place, step in enumerate(steps) if step.ended)
    assert steps[first + 1].index == 0
    assert torch.equal(steps[first + 1].ws, steps[first].ws)
    assert steps[first + 1].references.start is steps[0].references.start
    assert steps[first + 1].edit == OTHER


def test_asking_for_more_after_a_segment_that_was_stopped_goes_on_with_the_same_adam():
    replay, steps = replayed((Segment(4, False, ((0, EDIT),)),))
    _, whole = replayed((Segment(1, True, ((0, EDIT),)),))
    assert replay.more is None
    np.testing.assert_array_equal([step.ws.numpy() for step in steps], [step.ws.numpy() for step in whole])


def test_each_segment_has_its_own_settings():
    own = settings(BlobGenerator(), max_steps=2)
    _, steps = replayed((Segment(3, False, ((0, EDIT),), own), Segment(4, False, ((0, OTHER),))))
    assert [step.config == own for step in steps[:3]] == [True] * 3
    assert [(step.index, step.ended) for step in steps[2:4]] == [(2, "cap"), (0, None)]
    assert steps[3].config == settings(BlobGenerator())
