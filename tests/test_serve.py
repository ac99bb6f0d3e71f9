"""The reports over HTTP: to this machine, by its names, and nothing but what stands in the reports folder."""

from __future__ import annotations

import http.client
import socket
import struct
import threading

import pytest
from engine import wait_for

from clusterlib.errors import ClusterlibError
from clusterlib.publish import serve
from clusterlib.publish.serve import make_server

SECRET = "no one's business"


@pytest.fixture
def port(project, monkeypatch):
    """A server of a reports folder with hidden files, links and files beside it."""
    with pytest.raises(ClusterlibError, match="no reports yet"):
        make_server(0, project)
    monkeypatch.setattr(serve, "IDLE_SECONDS", 1.0)
    reports = project.reports
    for name in ("index.html", "yrd/01_one.html", "yrd/deep/.hidden", ".state/run.lock", "yrd/large.csv"):
        (reports / name).parent.mkdir(parents=True, exist_ok=True)
        (reports / name).write_text("page" if name.endswith("html") else SECRET, encoding="utf-8")
    (reports / "yrd" / "large.csv").write_bytes(b"1," * 20_000_000)
    outside = project.root / "outside"
    outside.mkdir()
    (outside / "index.html").write_text(SECRET)
    (reports / "link.html").symlink_to(outside / "index.html")
    (reports / "linked").symlink_to(outside)
    (reports / "state").symlink_to(reports / ".state")
    (reports / "circle").symlink_to(reports / "circle")
    (reports / "indexed").mkdir()
    (reports / "indexed" / "index.html").symlink_to(outside / "index.html")
    (reports / "inner.html").symlink_to(reports / "yrd" / "01_one.html")
    with make_server(0, project) as server:
        assert server.server_address[0] == "127.0.0.1"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()


def ask(port: int, path: str, method: str = "GET", host: str | None = None) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", f"127.0.0.1:{port}" if host is None else host)
    connection.endheaders()
    return connection.getresponse()


@pytest.mark.parametrize("path", ["/", "/index.html", "/yrd/01_one.html?x=1", "/yrd/%30%31_one.html", "/inner.html"])
def test_pages_are_served_with_headers_that_keep_them_from_running_or_loading(port, path):
    answer = ask(port, path)
    assert answer.status == 200 and answer.read() == b"page"
    assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert ask(port, path, "HEAD").read() == b""


@pytest.mark.parametrize(
    "path",
    [
        "/.state/run.lock", "/%2Estate/run.lock", "/%2estate%2Frun.lock", "/yrd/deep/%2ehidden",
        "/yrd/../.state/run.lock",
        "/state/run.lock", "/link.html", "/linked/", "/linked/index.html", "/indexed/", "/circle", "/yrd", "/yrd/",
        "/yrd/deep/", "/%2e%2e/outside/index.html", "/..%2foutside/index.html", "/%252e%252e/outside/index.html",
        "/..%5coutside%5cindex.html", "/..\\outside\\index.html", "/index.html%00", "/%00", "/index.html/",
        "//../outside/index.html", "/%ed%a0%80", "/%ff",
    ],
)  # fmt: skip
def test_neither_hidden_files_nor_folders_nor_anything_outside_is_served(port, path, capfd):
    answer = ask(port, path)
    assert answer.status == 404 and SECRET.encode() not in answer.read()
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_the_names_of_this_machine_are_answered(port, name):
    assert ask(port, "/", host=f"{name}:{port}").status == 200


@pytest.mark.parametrize(
    "host", ["evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "", "127.0.0.1.evil.example:{port}"]
)
def test_a_page_elsewhere_cannot_read_the_reports_under_its_own_name(port, host):
    answer = ask(port, "/", host=host.format(port=port))
    assert answer.status == 421 and b"page" not in answer.read()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"])
def test_nothing_but_reading_is_answered(port, method):
    assert ask(port, "/", method).status == 501


@pytest.mark.parametrize("drip", [b"", b"G"])
def test_a_client_that_does_not_ask_in_time_is_hung_up_on(port, drip):
    """However often it sends a letter."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.settimeout(0.2)

        def hung_up() -> bool:
            try:
                client.sendall(drip)
                return client.recv(1) == b""
            except TimeoutError:
                return False
            except OSError:
                return True

        wait_for(hung_up, 30)
    assert ask(port, "/").status == 200


def test_a_client_that_goes_away_leaves_no_traceback(port, capfd):
    before = threading.active_count()
    for part in (b"GET /yrd/large.csv HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % port, b"GET / HT", b""):
        client = socket.create_connection(("127.0.0.1", port), timeout=60)
        # Reset, not closed in order.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sendall(part)
        if part.endswith(b"\n\r\n"):
            client.recv(100)
        client.close()
    wait_for(lambda: threading.active_count() <= before, 30)
    assert ask(port, "/").status == 200
    assert capfd.readouterr().err == ""


def test_a_port_that_is_taken_is_told(port, project):
    with pytest.raises(ClusterlibError, match="choose another with --port"):
        make_server(port, project)
