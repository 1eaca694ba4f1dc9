from analytic import BlobGenerator
from session.helpers import EDIT, OTHER, config_of

from draggan_widget.engine.edit import Edit
from draggan_widget.engine.loop import drag
from draggan_widget.session.run import Run


def new_run(limit: int | None = None, **changes: object) -> Run:
    generator = BlobGenerator()
    run = Run(drag(generator, generator.ws_at(31, 31), EDIT, config_of(**changes)), EDIT)
    run.resume(limit, EDIT)
    return run


def test_a_limit_counts_steps_and_not_the_start():
    run = new_run(limit=2)
    steps = [run.next_step()]
    while not run.is_over(steps[-1]):
        steps.append(run.next_step())
    assert [step.index for step in steps] == [0, 1, 2]
    run.resume(1, EDIT)
    step = run.next_step()
    assert step.index == 3
    assert run.is_over(step)


def test_a_stop_ends_the_run_and_resuming_takes_it_back():
    run = new_run()
    run.stop = True
    assert run.is_over(run.next_step())
    run.resume(None, EDIT)
    assert not run.is_over(run.next_step())


def test_a_run_is_over_when_the_drag_ended():
    run = new_run(max_steps=1)
    assert not run.is_over(run.next_step())
    step = run.next_step()
    assert step.ended == "cap"
    assert run.is_over(step)


def test_the_next_step_pursues_the_newest_edit():
    run = new_run()
    assert run.next_step().edit is EDIT
    run.edit = OTHER
    assert run.next_step().edit is OTHER
    assert run.next_step().edit is OTHER


def test_an_edit_given_when_resuming_is_pursued():
    run = new_run()
    run.next_step()
    run.resume(None, OTHER)
    assert run.next_step().edit is OTHER


def test_an_edit_without_points_is_not_told_to_the_drag():
    run = new_run()
    run.next_step()
    run.edit = Edit()
    assert run.next_step().edit is EDIT
