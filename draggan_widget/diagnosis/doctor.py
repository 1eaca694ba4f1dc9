"""`doctor()`: the probes in the order of the report."""

import warnings
from collections.abc import Callable, Iterator

from draggan_widget.diagnosis.installation import probe_ffmpeg, probe_own, probe_packages, probe_python
from draggan_widget.diagnosis.machine import probe_bfloat16, probe_memory, probe_platform, probe_threads
from draggan_widget.diagnosis.notebook import probe_host
from draggan_widget.diagnosis.privacy import make_hider
from draggan_widget.diagnosis.report import Fact, Report, guarded
from draggan_widget.diagnosis.stored import probe_cache, probe_workers
from draggan_widget.diagnosis.torch_devices import probe_device, probe_gpus, probe_torch_build

PROBES: tuple[tuple[str, Callable[[], Iterator[Fact]]], ...] = (
    ("draggan-widget", probe_own),
    ("python", probe_python),
    ("platform", probe_platform),
    ("host", probe_host),
    ("packages", probe_packages),
    ("ffmpeg", probe_ffmpeg),
    ("torch build", probe_torch_build),
    ("device", probe_device),
    ("gpu", probe_gpus),
    ("threads", probe_threads),
    ("bfloat16", probe_bfloat16),
    ("memory", probe_memory),
    ("cache", probe_cache),
    ("workers", probe_workers),
)


def doctor() -> Report:
    """Report versions, notebook host, device, threads, memory and cache, and what to do about each.

    Show the report as the last line of a cell, or print it; `draggan-widget doctor` prints it too. Paste it into a bug
    report: below the home folder, paths begin with `~`, and the user's name is left out. Nothing is downloaded or
    changed. A probe that fails says so in its own line.

    Examples:
        >>> print(doctor())
        draggan-widget ...
    """
    hide = make_hider()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        facts = [fact for name, probe in PROBES for fact in guarded(name, probe)]
    return Report(tuple(Fact(fact.name, hide(fact.value), hide(fact.advice)) for fact in facts))
