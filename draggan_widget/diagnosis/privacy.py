"""Keeps the home folder and the name of the user out of a text that people paste into a public bug report."""

import contextlib
import getpass
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

END = r"(?=[/\\\s'\",:;)]|$)"  # of a part of a path


def make_hider() -> Callable[[str], str]:
    """A function that writes the home folder as ~ and a user's name in a path as USER, on one line."""
    homes = {home.rstrip("/\\") for home in _find_homes()}
    flags = re.IGNORECASE if os.name == "nt" else 0
    # A container may have / as its home folder, which every path begins with. A home folder may lie in another one.
    places = sorted((home for home in homes if len(Path(home).parts) > 1), key=len, reverse=True)
    rules = [(re.compile(rf"(?<![\w.-]){_as_pattern(place)}{END}", flags), "~") for place in places]
    rules.append((re.compile(rf"([/\\](?:home|Users)[/\\]+)[^/\\\s'\",:;)]+{END}", flags), r"\1USER"))
    names = sorted({*_find_names()} - {""})
    rules += [(re.compile(rf"([/\\]){re.escape(name)}{END}", flags), r"\1USER") for name in names]

    def hide(text: str) -> str:
        for pattern, instead in rules:
            text = pattern.sub(instead, text)
        text = re.sub(r"[\x00-\x1f]+", " ", text)
        return text.encode("utf-8", "backslashreplace").decode("utf-8")  # a path may hold bytes that are no text

    return hide


def _as_pattern(place: str) -> str:
    """A pattern of a folder's path; an error message may write each backslash twice."""
    return r"[/\\]+".join(re.escape(part) for part in re.split(r"[/\\]+", place))


def _find_homes() -> Iterator[str]:
    with contextlib.suppress(ImportError, KeyError):
        import pwd  # Unix only

        yield pwd.getpwuid(os.getuid()).pw_dir
    for home in (os.path.expanduser("~"), *map(os.environ.get, ("HOME", "USERPROFILE"))):
        if home:
            yield home
            with contextlib.suppress(OSError, ValueError):
                yield os.path.realpath(home)


def _find_names() -> Iterator[str]:
    with contextlib.suppress(ImportError, KeyError):
        import pwd

        yield pwd.getpwuid(os.getuid()).pw_name
    with contextlib.suppress(OSError, KeyError, ImportError):  # no variable and no database knows the user
        yield getpass.getuser()
    for variable in ("USER", "LOGNAME", "USERNAME"):
        yield os.environ.get(variable, "")
