"""What every look into a record asks first."""

from draggan_widget.engine.record import DragRecord
from draggan_widget.errors import RecordError


def not_empty(record: DragRecord) -> DragRecord:
    """The record; RecordError where it has no step."""
    if len(record) == 0:
        raise RecordError("the record has 0 steps; expected at least one; start a drag first")
    return record
