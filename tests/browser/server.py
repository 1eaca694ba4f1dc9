"""A notebook host as a process on 127.0.0.1, apart from the settings of the person who runs the tests."""

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import platformdirs
from browser.hosts import Host
from ipykernel.kernelspec import write_kernel_spec

START_TIMEOUT = 60.0  # s
OWN_KEYS = ("q", "w")  # no host binds them by itself to what they do here


def cache_folder() -> str:
    """Give the folder in which downloaded weights are kept, so that an isolated home still finds them."""
    return os.environ.get("DRAGGAN_CACHE") or platformdirs.user_cache_dir("draggan-widget")


class Server:
    """A notebook host in a process of its own, with the settings of a person who has bound keys of their own."""

    def __init__(self, host: Host, folder: Path) -> None:
        """Lay out the folder; `start` runs the server."""
        self.host = host
        self.root = folder / "notebooks"
        self.runtime = folder / "runtime"
        self.token = secrets.token_hex(16)
        self.url = ""
        self._folder = folder
        self._log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        # A proxy named in the environment is not for 127.0.0.1.
        self._http = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def start(self) -> None:
        """Start the server and wait until it answers and offers this interpreter as its kernel.

        Raises:
            RuntimeError: it ended or stayed silent, or its kernel is another Python.
        """
        labconfig = self._folder / "config" / "labconfig"
        for folder in (self.root, self.runtime, labconfig):
            folder.mkdir(parents=True)
        write_kernel_spec(str(self._folder / "data" / "kernels" / "python3"))
        disabled = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
        (labconfig / "page_config.json").write_text(json.dumps(disabled))
        self._bind_own_keys()
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command(port),
                env=self._environment(),
                cwd=self.root,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_until_up(self._process)
        spec = self.request("GET", "/api/kernelspecs")["kernelspecs"]["python3"]["spec"]
        if spec["argv"][0] != sys.executable:
            raise RuntimeError(f"the kernel runs {spec['argv'][0]}; expected {sys.executable}")

    def _bind_own_keys(self) -> None:
        """Write the settings of a person who has bound OWN_KEYS: one deletes a cell, the other inserts one."""
        delete, insert = OWN_KEYS
        shortcuts = [
            {"command": "notebook:delete-cell", "keys": [delete.upper()], "selector": ".jp-Notebook :focus"},
            {"command": "notebook:insert-cell-below", "keys": [insert.upper()], "selector": "body"},
        ]
        config = self._folder / "config"
        lab = config / "lab" / "user-settings" / "@jupyterlab" / "shortcuts-extension"
        lab.mkdir(parents=True)
        (lab / "shortcuts.jupyterlab-settings").write_text(json.dumps({"shortcuts": shortcuts}))
        bind = {delete: "jupyter-notebook:delete-cell", insert: "jupyter-notebook:insert-cell-below"}
        (config / "serverconfig").mkdir()
        (config / "serverconfig" / "notebook.json").write_text(json.dumps({"keys": {"command": {"bind": bind}}}))

    def _command(self, port: int) -> list[str]:
        return [
            *(sys.executable, "-m", self.host.module, "--no-browser", "--ip=127.0.0.1", f"--port={port}"),
            *("--ServerApp.port_retries=0", f"--IdentityProvider.token={self.token}", "--allow-root"),
            *(f"--ServerApp.root_dir={self.root}", *self.host.options),
        ]

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "IPYTHON", "XDG_"))}
        return kept | {
            "DRAGGAN_CACHE": cache_folder(),
            "HOME": str(self._folder),
            "JUPYTER_CONFIG_DIR": str(self._folder / "config"),
            "JUPYTER_DATA_DIR": str(self._folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(self.runtime),
            "JUPYTER_PREFER_ENV_PATH": "0",  # so that the kernel written above wins
            "IPYTHONDIR": str(self._folder / "ipython"),
            "OMP_NUM_THREADS": "1",
        }

    def _wait_until_up(self, process: subprocess.Popen[bytes]) -> None:
        for _ in range(int(START_TIMEOUT / 0.1)):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
                raise RuntimeError(f"{self.host.name} ended with status {process.returncode}:\n{self.log_tail()}")
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                self.request("GET", "/api/status")
                return
        raise RuntimeError(f"{self.host.name} did not answer within {START_TIMEOUT:.0f} s:\n{self.log_tail()}")

    def request(self, method: str, path: str) -> Any:
        """Ask the server's REST interface; return the parsed answer, or None where it is empty."""
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(self.url + path, method=method, headers=headers)
        with self._http.open(request, timeout=30) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def log_tail(self) -> str:
        """Give the last lines that the server wrote."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-30:])

    def close_sessions(self) -> None:
        """Shut down every kernel that a notebook started."""
        for session in self.request("GET", "/api/sessions"):
            self.request("DELETE", f"/api/sessions/{session['id']}")

    def stop(self) -> None:
        """End the server, and with it its kernels."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def free_port() -> int:
    """Give a port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
