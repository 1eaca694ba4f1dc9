"""Which clients may be sent another frame. It never blocks: the drag asks and continues.

Source: docs/architecture.md; measured on JupyterLab: without credit four seconds of frames made 33 seconds of lag.
"""

from dataclasses import dataclass, field

IN_FLIGHT = 2  # unconfirmed frames per client; one on Colab
PROBE_SECONDS = 1.0  # a credit that is this late counts as lost: one more frame is sent
SILENT_SECONDS = 5.0  # a client that was silent for so long gets no frames until it says hello
BLOCKED_SECONDS = 0.25  # between frames while the kernel can hear no reply


@dataclass
class _Client:
    limit: int
    heard: float
    owing_since: float | None = None  # when the first of the frames still in flight, or lost, was sent
    flying: dict[int, float] = field(default_factory=dict)


class Credit:
    """The unconfirmed frames of every client; the caller holds a lock and gives the time in seconds."""

    def __init__(self) -> None:
        self._clients: dict[str, _Client] = {}
        self._sent = float("-inf")
        self._last = 0

    @property
    def clients(self) -> int:
        """Number of known clients."""
        return len(self._clients)

    @property
    def unconfirmed(self) -> int:
        """Number of frames in flight to the slowest client."""
        return max((len(client.flying) for client in self._clients.values()), default=0)

    def hello(self, client: str, colab: bool, now: float) -> None:
        """Note a client whose view was opened: it has its full credit again."""
        self._clients[client] = _Client(1 if colab else IN_FLIGHT, now)

    def shown(self, client: str, seq: int, now: float) -> bool:
        """Note that a client has shown a frame; one that it was never sent changes nothing. False: unknown client."""
        known = self._clients.get(client)
        if known is None:
            return False
        known.heard = now
        if seq > self._last:
            return True
        for flying in [other for other in known.flying if other <= seq]:
            del known.flying[flying]
        if not known.flying:
            known.owing_since = None
        return True

    def heard(self, client: str, now: float) -> None:
        """Note any other message of a client: it is still there."""
        if client in self._clients:
            self._clients[client].heard = now

    def allows(self, now: float, blocked: bool) -> bool:
        """Whether a frame may be sent now.

        Args:
            now: time, s.
            blocked: whether a cell runs, so that the kernel hears nobody: then frames without credit are sent at a low
                rate, and a silent client is kept.
        """
        if blocked:
            for client in self._clients.values():
                client.heard = now
        self._drop_silent(now)
        if not self._clients:
            return False
        if all(len(client.flying) < client.limit for client in self._clients.values()):
            return True
        return now - self._sent >= (BLOCKED_SECONDS if blocked else PROBE_SECONDS)

    def sent(self, seq: int, now: float) -> None:
        """Note a frame sent to every client; past the limit it replaces the oldest unconfirmed one."""
        self._sent, self._last = now, seq
        for client in self._clients.values():
            client.flying[seq] = now
            if client.owing_since is None:
                client.owing_since = now
            while len(client.flying) > client.limit:
                del client.flying[min(client.flying)]

    def _drop_silent(self, now: float) -> None:
        for name, client in list(self._clients.items()):
            since = client.owing_since
            if since is not None and now - max(client.heard, since) > SILENT_SECONDS:
                del self._clients[name]
