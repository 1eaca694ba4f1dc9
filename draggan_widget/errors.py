"""Every error the library raises on purpose: each says the thing, its value, what was expected and the remedy."""


class DragganError(Exception):
    """Base of all errors raised by draggan_widget."""


class CheckpointError(DragganError):
    """A checkpoint could not be fetched, read or trusted."""


class EditError(DragganError, ValueError):
    """The points or the mask of an edit do not fit the picture."""


class ConfigError(DragganError, ValueError):
    """A setting is unknown, of the wrong type or out of range."""


class DragError(DragganError, RuntimeError):
    """A drag had to stop: its numbers went wrong or the device ran out of memory."""


class RecordError(DragganError):
    """A record of a drag could not be read or drawn."""


class ExportError(DragganError):
    """Something of a drag could not be written to a file or read from one."""


class Cancelled(DragganError):
    """A picture under way was dropped because nobody waits for it any more."""
