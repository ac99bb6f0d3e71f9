"""Show the reports folder over HTTP on this machine only."""

from __future__ import annotations

import functools
import http.server
from collections.abc import Callable

from clusterlib.errors import ClusterlibError
from clusterlib.paths import Project, get_project

ADDRESS = "127.0.0.1"


class _Handler(http.server.SimpleHTTPRequestHandler):
    def end_headers(self) -> None:
        # A page that was made again is to be seen at the next reload.
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *_: object) -> None: ...

    def send_head(self):
        if any(part.startswith(".") for part in self.path.split("/")):
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
        return http.server.ThreadingHTTPServer((ADDRESS, port), handler)
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
