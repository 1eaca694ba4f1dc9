"""The torch modes of the calling thread, left while this package computes, so that a drag is the same in all of them.

- Inference mode, autocast, the gradient mode and the default device belong to a thread. `in_own_modes` leaves them
  while a function runs, and gives them back; no other thread notices.
- The default dtype belongs to the whole process and is never changed here: each tensor that the package makes names its
  own dtype. A test reads the source for this.

The gradient mode stays the caller's: the code that needs a graph asks for one (`torch.enable_grad`).
"""

import functools
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
T = TypeVar("T")
AUTOCAST_KINDS = ("cpu", "cuda", "mps", "xpu")  # kinds of device whose autocast a caller may have switched on


def in_own_modes(function: Callable[P, R]) -> Callable[P, R]:
    """The function, run without inference mode, autocast and default device, whatever modes its caller is in."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        ways = _ways_out()
        if not ways:  # as nearly always
            return function(*args, **kwargs)
        with _entered(ways):
            return function(*args, **kwargs)

    return run


def steps_in_own_modes(function: Callable[P, Generator[T, S, R]]) -> Callable[P, Generator[T, S, R]]:
    """The generator function, run likewise from each request for a value to that value.

    Between two values, its caller has its own modes back.
    """

    @functools.wraps(function)
    def make_steps(*args: P.args, **kwargs: P.kwargs) -> Generator[T, S, R]:
        steps = function(*args, **kwargs)
        resume: Callable[[], T] = functools.partial(next, steps)
        while True:
            try:
                with _entered(_ways_out()):
                    value = resume()
            except StopIteration as end:
                return end.value
            try:
                sent = yield value
            except GeneratorExit:
                steps.close()
                raise
            except BaseException as error:  # noqa: BLE001 - the steps decide what becomes of it
                resume = functools.partial(steps.throw, error)
            else:
                resume = functools.partial(steps.send, sent)

    return make_steps


def outside_inference_mode(tensor: Tensor) -> Tensor:
    """The tensor, or a copy of one that was made in inference mode, since autograd may not keep such a tensor."""
    if not tensor.is_inference():
        return tensor
    with torch.inference_mode(False), torch.no_grad():
        return tensor.clone()


def _ways_out() -> list[AbstractContextManager[object]]:
    """Context managers that leave the calling thread's modes; none where it is in no mode that matters."""
    ways: list[AbstractContextManager[object]] = []
    if torch.is_inference_mode_enabled():
        ways += [torch.inference_mode(False), torch.no_grad()]  # the first one alone would switch gradients on
    ways += [torch.autocast(kind, enabled=False) for kind in AUTOCAST_KINDS if torch.is_autocast_enabled(kind)]
    if not _makes_tensors_on_cpu():
        ways.append(torch.device("cpu"))
    return ways


def _makes_tensors_on_cpu() -> bool:
    try:
        return torch.empty(0, dtype=torch.uint8).device.type == "cpu"
    except (RuntimeError, AssertionError):  # the default device is one that this machine lacks
        return False


def _entered(managers: list[AbstractContextManager[object]]) -> ExitStack:
    with ExitStack() as stack:
        for manager in managers:
            stack.enter_context(manager)
        return stack.pop_all()
