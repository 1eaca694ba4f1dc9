"""What every look into a record asks first."""

from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.record import DragRecord, so_far
from draggan_widget.errors import RecordError


def not_empty(record: DragRecord) -> DragRecord:
    """The record as it is now, though its drag runs; RecordError where it has no step."""
    record = so_far(record)
    if len(record) == 0:
        raise RecordError("the record has 0 steps; expected at least one; start a drag first")
    return record


def made_with(record: DragRecord) -> DragConfig | None:
    """The settings that a record's steps were made with; None where it has no steps or does not say."""
    settings = record.about.get("config")
    return DragConfig(**settings) if len(record) and isinstance(settings, dict) else None
