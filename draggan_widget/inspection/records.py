"""What inspection and export need of every record: at least one step, and the settings of its drag."""

from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.record import DragRecord, so_far
from draggan_widget.errors import RecordError


def require_steps(record: DragRecord) -> DragRecord:
    """Return a copy of the record as it is now, so that a running drag does not change it.

    Raises:
        RecordError: the record is empty.
    """
    record = so_far(record)
    if len(record) == 0:
        raise RecordError("the record has 0 steps; expected at least one; start a drag first")
    return record


def recorded_config(record: DragRecord) -> DragConfig | None:
    """The settings that a record's steps were made with; None where the record is empty or does not hold them."""
    settings = record.about.get("config")
    return DragConfig(**settings) if len(record) and isinstance(settings, dict) else None
