"""The errors that the library raises: each states the thing, its value, what was expected, and a remedy."""


class DragganError(Exception):
    """Base of all errors raised by draggan_widget."""


class CheckpointError(DragganError):
    """A checkpoint could not be downloaded, read or trusted."""


class EditError(DragganError, ValueError):
    """The points or the mask of an edit do not fit the picture."""


class ConfigError(DragganError, ValueError):
    """A setting is unknown, of the wrong type or out of range."""


class DragError(DragganError, RuntimeError):
    """A drag had to stop: its numbers went wrong or the device ran out of memory."""


class RecordError(DragganError):
    """A record of a drag could not be read or drawn."""


class ExportError(DragganError):
    """A file of a drag (pictures, latents, features and the like) could not be written or read."""


class Cancelled(DragganError):
    """The computation of a picture was stopped, because nothing waits for it any more."""
