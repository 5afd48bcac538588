"""Who gets an answer: only the holder of the secret, under the own host name; everything else is refused in bounds."""

import http.client
import json
import socket
import time
from urllib.parse import quote

import pytest
from support import viewed

from cgdmer.errors import ConfigError
from cgdmer.viewer import server as module
from cgdmer.viewer.server import Answer, Server
from cgdmer.viewer.uploads import files_of


@pytest.fixture(scope="module")
def server():
    with viewed.serving(viewed.site()) as running:
        yield running


def ask(server, address="", *, method="GET", body=None, token=None, **headers):
    """Send a request to an address below the secret; return status, headers and text."""
    connection = http.client.HTTPConnection(module.HOST, server.server_port, timeout=20)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, f"/{server.token if token is None else token}/{address}", body, named)
    answer = connection.getresponse()
    found = answer.status, dict(answer.headers), answer.read().decode()
    connection.close()
    return found


def drop(server, files, **headers):
    names = quote(json.dumps([[name, len(content)] for name, content in files.items()]))
    return ask(server, "drop", method="POST", body=b"".join(files.values()), **{"X-Files": names, **headers})


def test_pages_come_with_a_strict_policy_and_leave_no_trace(server):
    for address in ("", "recording/0", "recording/0.svg", "recordings.csv"):
        code, headers, text = ask(server, address)
        assert code == 200
        assert text
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")
        assert headers["Content-Security-Policy"].endswith("; frame-ancestors 'none'")
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert server.token not in text
    assert "Python" not in headers["Server"]


@pytest.mark.parametrize("token", ["", "wrong", "ä", "%00", ".."])
def test_another_secret_is_refused(server, token):
    assert ask(server, token=quote(token) if token == "ä" else token)[0] == 403
    assert drop(server, {"a": b"good"})[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "[::1]:{port}", ""]
)
def test_another_host_name_is_refused(server, host):
    assert ask(server, Host=host.format(port=server.server_port))[0] == 403


def test_localhost_is_answered(server):
    assert ask(server, Host=f"localhost:{server.server_port}")[0] == 200


ADDRESSES = [
    "../etc/passwd", "recording/", "recording/99", "recording/-1", "recording/0/../1", "recording/0.svg/",
    "recording/٣", "dropped/7", "%2e%2e/%2e%2e/etc/passwd", "recordings.csv/..", "drop", "recording/00000000",
    "//evil.example/",
]  # fmt: skip


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_is_no_page_is_not_looked_for(server, address):
    assert ask(server, quote(address, safe="/%"))[0] == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "<b>"])
def test_other_methods_are_not_understood(server, method):
    code, headers, text = ask(server, method=method)
    assert (code, text) == (501, "This request is not understood.")
    assert headers["Content-Type"].startswith("text/plain")


def test_head_gives_no_body(server):
    assert ask(server, method="HEAD")[::2] == (200, "")


def test_a_drawing_that_fails_says_why(server):
    assert ask(server, "recording/1.svg")[::2] == (404, "The recording cannot be drawn: it is gone")


def test_dropped_files_get_a_page_and_refused_ones_their_reason(server):
    assert drop(server, {"<i>good.hea": b"good", "bad.hea": b"bad"})[0] == 200
    text = ask(server)[2]
    assert "&lt;i&gt;good.hea" in text
    assert "it is not good" in text
    number = max(int(part.split('"')[0]) for part in text.split('href="dropped/')[1:])
    assert "&lt;i&gt;good.hea" in ask(server, f"dropped/{number}")[2]
    assert ask(server, f"dropped/{number}.svg")[2].startswith("<svg")


def test_only_the_newest_drops_are_remembered(server):
    for _ in range(3):
        assert drop(server, {f"{number}.hea": b"good" for number in range(15)})[0] == 200
    assert ask(server)[2].count('href="dropped/') == 32


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_another_page_cannot_send_files(server, origin):
    assert drop(server, {"a": b"good"}, Origin=origin)[0] == 403


def test_an_upload_is_bounded_before_it_is_read(server):
    assert ask(server, "drop", method="POST", Content_Length=str(module.MAX_UPLOAD + 1))[0] == 413
    assert ask(server, "drop", method="POST", Content_Length="9" * 400)[0] == 411
    assert ask(server, "drop", method="POST", Content_Length="-1")[0] == 411
    assert ask(server, "drop", method="POST", Transfer_Encoding="chunked")[0] == 411


BAD_LISTS = [
    "", "null", "{}", "[]", "[1]", '[["a"]]', '[["a", 1.5]]', '[["a", true]]', '[["a", -4]]', '[["a", 3]]',
    '[["a", 4], ["b", 1]]', '[["", 4]]', '[[".", 4]]', '[["..", 4]]', '[["../a", 4]]', '[["/etc/passwd", 4]]',
    r'[["a\\b", 4]]', r'[["a\u0000", 4]]', r'[["\ud800", 4]]', '[["a", 2], ["a", 2]]', f'[["{"x" * 201}", 4]]',
    "[" * 5000, "[" + "".join(f'["{number}", 0], ' for number in range(100)) + '["b", 4]]',
]  # fmt: skip


@pytest.mark.parametrize("names", BAD_LISTS, ids=range(len(BAD_LISTS)))
def test_a_list_of_files_that_could_lead_elsewhere_is_refused(names):
    with pytest.raises(ConfigError):
        files_of(quote(names), b"good")


def test_a_list_of_files_cuts_their_content():
    assert files_of(quote('[["a", 1], ["é", 0], ["c", 2]]'), b"abc") == {"a": b"a", "é": b"", "c": b"bc"}


def test_what_is_no_http_gets_a_short_answer_or_none(server):
    for sent in (
        b"\0\1\2\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"G" * 70_000 + b"\r\n\r\n",
        b"GET /\r\n\r\n",
    ):
        with socket.create_connection((module.HOST, server.server_port), 20) as connection:
            connection.sendall(sent)
            assert len(connection.recv(1 << 16)) < 1500
    assert ask(server)[0] == 200


def test_an_error_of_a_page_is_an_answer_without_details(caplog):
    class Broken:
        def get(self, address):
            raise ValueError("/secret/path")

    with viewed.serving(Broken()) as server:
        assert ask(server)[::2] == (500, "The page could not be made.")
    assert "/secret/path" not in caplog.text


def test_too_many_connections_are_closed_and_slow_ones_end(monkeypatch):
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 2)
    monkeypatch.setattr(module.Handler, "timeout", 1.0)

    class Short:
        def get(self, address):
            return Answer("page")

    with viewed.serving(Short()) as server:
        idle = [socket.create_connection((module.HOST, server.server_port), 20) for _ in range(3)]
        assert idle[2].recv(10) == b""
        assert idle[0].recv(10) == b""  # after its time
        assert idle[1].recv(10) == b""
        assert ask_until_a_place_is_free(server)[2] == "page"
        for connection in idle:
            connection.close()


def ask_until_a_place_is_free(server):
    """A connection that has been closed keeps its place until its thread ends."""
    for _ in range(200):
        try:
            return ask(server)
        except (http.client.RemoteDisconnected, ConnectionResetError):
            time.sleep(0.05)
    return ask(server)


def test_the_server_listens_on_loopback_with_a_secret_of_its_own():
    servers = [Server(0, viewed.site()) for _ in range(2)]
    try:
        assert {server.server_address[0] for server in servers} == {"127.0.0.1"}
        assert servers[0].token != servers[1].token
        assert len(servers[0].token) == 32
    finally:
        for server in servers:
            server.server_close()
