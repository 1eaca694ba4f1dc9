"""A web server on this machine that answers as it is told to."""

import collections
import email.message
import http.server
import re
import threading
from collections.abc import Callable
from typing import Self

Answer = Callable[["Handler"], None]


class Handler(http.server.BaseHTTPRequestHandler):
    """One request; `server.site` says what to answer."""

    protocol_version = "HTTP/1.1"

    @property
    def site(self) -> "Site":
        return self.server.site  # pyright: ignore[reportAttributeAccessIssue]

    def do_GET(self) -> None:
        self.site.requests.append((self.path, self.headers))
        answer = self.site.answers.popleft() if self.site.answers else self.site.otherwise
        try:
            answer(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def head(self, status: int, **headers: object) -> None:
        """Send the status and the headers; an underscore stands for a hyphen."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


class Site:
    """The server: what it answers next, and what it was asked."""

    def __init__(self, content: bytes) -> None:
        """Prepare a server; it answers inside a `with` block.

        Args:
            content: the file that it has, whatever the path.
        """
        self.content = content
        self.headers: dict[str, object] = {"ETag": '"one"'}
        self.answers: collections.deque[Answer] = collections.deque()
        self.otherwise: Answer = serve
        self.requests: list[tuple[str, email.message.Message]] = []  # path and headers
        self.released = threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.site = self  # pyright: ignore[reportAttributeAccessIssue]
        self._server.daemon_threads = True

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/models/tiny.pkl"

    def asked(self, name: str) -> list[str | None]:
        """That header of each request."""
        return [headers.get(name) for _, headers in self.requests]


def serve(handler: Handler, length: int | None = None, ranges: bool = True) -> None:
    """The file or the part asked for; `length` cuts the line after so many bytes of it."""
    site = handler.site
    place = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    condition = handler.headers.get("If-Range")
    known = {str(site.headers.get(name)) for name in ("ETag", "Last_Modified")}
    start = int(place[1]) if place and ranges and (condition is None or condition in known) else 0
    total = len(site.content)
    if start:
        part = {"Content_Range": f"bytes {start}-{total - 1}/{total}"}
        handler.head(206, Content_Length=total - start, **part, **site.headers)
    else:
        handler.head(200, Content_Length=total, **site.headers)
    handler.wfile.write(site.content[start:][:length])
    handler.close_connection = length is not None


def cut(length: int, ranges: bool = True) -> Answer:
    """Serve, and cut the line after so many bytes."""
    return lambda handler: serve(handler, length, ranges)


def ignore_ranges(handler: Handler) -> None:
    """Serve the whole file whatever part is asked for."""
    serve(handler, ranges=False)


def reply(status: int, body: bytes = b"", **headers: object) -> Answer:
    """A fixed answer."""

    def answer(handler: Handler) -> None:
        handler.head(status, Content_Length=len(body), **headers)
        handler.wfile.write(body)

    return answer


def stall(length: int | None) -> Answer:
    """Send the head and so many bytes (None: nothing at all), then nothing until the site is released."""

    def answer(handler: Handler) -> None:
        if length is not None:
            handler.head(200, Content_Length=len(handler.site.content), **handler.site.headers)
            handler.wfile.write(handler.site.content[:length])
            handler.wfile.flush()
        handler.site.released.wait(30)
        handler.close_connection = True

    return answer
