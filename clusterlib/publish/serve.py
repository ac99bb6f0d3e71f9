"""Show the reports folder over HTTP on this machine only."""

from __future__ import annotations

import contextlib
import functools
import http.server
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from clusterlib.errors import ClusterlibError
from clusterlib.paths import Project, get_project
from clusterlib.publish.frame import SERVED_POLICY

ADDRESS = "127.0.0.1"
NAMES = (ADDRESS, "localhost", "[::1]")
IDLE_SECONDS = 30.0


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address) -> None:
        """Tell what went wrong, but not that a client went away."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(http.server.SimpleHTTPRequestHandler):
    path = ""  # until a request has one

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(IDLE_SECONDS)
        # One that sends a letter now and then is never idle: its whole request has to come in time.
        self._deadline = threading.Timer(IDLE_SECONDS, self._hang_up)
        self._deadline.start()

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def finish(self) -> None:
        self._deadline.cancel()
        super().finish()

    def end_headers(self) -> None:
        # A page that was made again is to be seen at the next reload.
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if not self.path.endswith(".pdf"):  # browsers show it by a page of their own
            self.send_header("Content-Security-Policy", SERVED_POLICY)
        super().end_headers()

    def log_message(self, *_: object) -> None: ...

    def parse_request(self) -> bool:
        """Refuse a request under another name, by which a page elsewhere could read the reports."""
        whole = super().parse_request()
        self._deadline.cancel()
        names = [f"{name}:{self.server.server_port}".removesuffix(":80") for name in NAMES]  # type: ignore[attr-defined]
        if whole and self.headers.get("Host", "").lower() not in names:
            self.send_error(421)
            return False
        return whole

    def send_head(self):
        """Open a file below the reports folder; no link leads out of it, and neither folders nor hidden files show."""
        path, root = self.translate_path(self.path), Path(self.directory).resolve()
        try:
            file = Path(path, "index.html" if Path(path).is_dir() else "").resolve(strict=True)
            parts = *Path(path).relative_to(self.directory).parts, *file.relative_to(root).parts
        except (OSError, RuntimeError, ValueError):  # there is none, links in a circle, a NUL or a link that leads out
            parts = (".",)
        if any(part.startswith(".") or "\\" in part for part in parts) or not file.is_file():
            self.send_error(404)
            return None
        return super().send_head()


def make_server(port: int, project: Project | None = None) -> http.server.ThreadingHTTPServer:
    """Return a server of the reports folder, not yet serving.

    Raises
    ------
    ClusterlibError
        If there are no reports, or the port is taken.
    """
    project = project or get_project()
    if not (project.reports / "index.html").exists():
        raise ClusterlibError("there are no reports yet: run `clusterlib run`")
    handler = functools.partial(_Handler, directory=str(project.reports))
    try:
        return _Server((ADDRESS, port), handler)
    except OSError as error:
        raise ClusterlibError(f"port {port} cannot be had ({error.strerror}): choose another with --port") from None


def serve_reports(port: int, say: Callable[[str], None]) -> None:
    """Serve the reports until Ctrl-C."""
    with make_server(port) as server:
        say(f"http://{ADDRESS}:{server.server_address[1]}/ (Ctrl-C ends)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("Stopped.")
