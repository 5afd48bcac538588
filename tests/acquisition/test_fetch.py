"""Fetch one file from a real server with scripted faults."""

import hashlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from support.scripted_server import Fault, Server, serve

from cgdmer.acquisition.connection import Policy
from cgdmer.acquisition.fetch import Client, Stopped
from cgdmer.errors import ConfigError, DataError

BODY = random.Random(1).randbytes(300_000)
DIGEST = hashlib.sha256(BODY).hexdigest()
QUICK = Policy(
    attempts=4,
    progress_bytes=1 << 30,
    backoff=0.001,
    backoff_max=0.002,
    connect_timeout=2.0,
    read_timeout=0.5,
    retry_after_max=2.0,
)


@pytest.fixture
def server() -> Iterator[Server]:
    with serve({"a b/file.dat": BODY}) as running:
        yield running


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out" / "file.dat"


def fetch(server: Server, target: Path, digest: str | None = DIGEST, policy: Policy = QUICK) -> None:
    with Client(policy) as client:
        client.fetch(f"{server.url}/a%20b/file.dat", target, target.parent / "file.part", digest)


def ranges(server: Server) -> list[tuple[str | None, int]]:
    return [(one.range, one.status) for one in server.gets()]


def test_a_whole_file_comes_in_one_request_and_leaves_nothing_beside_it(server, target):
    fetch(server, target)
    assert target.read_bytes() == BODY
    assert ranges(server) == [(None, 200)]
    assert [path.name for path in target.parent.iterdir()] == ["file.dat"]


def test_a_cut_connection_is_resumed_where_it_broke(server, target):
    server.faults["a b/file.dat"] += [Fault(cut=140_000), Fault(cut=100_000)]
    fetch(server, target)
    assert target.read_bytes() == BODY
    starts = [int(asked[6:-1]) for asked, status in ranges(server)[1:] if status == 206]
    assert len(starts) == 2
    assert 64_000 < starts[0] <= 140_000
    assert starts[0] < starts[1] <= starts[0] + 100_000


def test_every_byte_is_told_to_progress_once_when_resumed(server, target):
    told: list[int] = []
    server.faults["a b/file.dat"] += [Fault(cut=200_000)]
    with Client(QUICK, told.append) as client:
        client.fetch(f"{server.url}/a%20b/file.dat", target, target.parent / "file.part", DIGEST)
    assert sum(told) == len(BODY)


def test_a_server_that_ignores_ranges_is_read_from_the_start(server, target):
    server.faults["a b/file.dat"] += [Fault(cut=140_000), Fault(ignore_range=True)]
    fetch(server, target)
    assert target.read_bytes() == BODY
    assert [status for _, status in ranges(server)] == [200, 200]


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(status=429), Fault(status=500), Fault(delay=0.8)])
def test_a_passing_failure_is_tried_again(server, target, fault):
    server.faults["a b/file.dat"] += [fault, fault]
    fetch(server, target)
    assert target.read_bytes() == BODY
    assert len(server.gets()) == 3


@pytest.mark.parametrize("date", [False, True])
def test_retry_after_is_waited_for(server, target, date, monkeypatch):
    pauses: list[float] = []
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    server.faults["a b/file.dat"] += [Fault(status=429, headers={"Retry-After": later if date else "1"})]
    with Client(QUICK) as client:
        monkeypatch.setattr(client._stop, "wait", pauses.append)
        client.fetch(f"{server.url}/a%20b/file.dat", target, target.parent / "file.part", DIGEST)
    assert len(pauses) == 1
    assert pauses[0] > 0.5
    assert target.read_bytes() == BODY


def test_a_retry_after_beyond_patience_is_an_error_that_says_how_long(server, target):
    server.faults["a b/file.dat"] += [Fault(status=503, headers={"Retry-After": "86400"})]
    with pytest.raises(DataError, match="86400 s"):
        fetch(server, target)


def test_pauses_grow_and_are_spread(server, target, monkeypatch):
    pauses: list[float] = []
    server.faults["a b/file.dat"] += [Fault(status=503)] * 5
    policy = Policy(attempts=6, backoff=1.0, backoff_max=4.0)
    with Client(policy) as client:
        monkeypatch.setattr(client._stop, "wait", pauses.append)
        client.fetch(f"{server.url}/a%20b/file.dat", target, target.parent / "file.part", DIGEST)
    assert [low <= pause <= 2 * low for low, pause in zip([0.5, 1, 2, 2, 2], pauses, strict=True)] == [True] * 5
    assert len(set(pauses)) == 5


def test_failures_in_a_row_end_with_the_url_and_keep_what_came(server, target):
    server.faults["a b/file.dat"] += [Fault(cut=140_000)] + [Fault(status=503)] * 3
    with pytest.raises(DataError, match=r"file\.dat: the server answers 503, 4 times in a row"):
        fetch(server, target)
    assert not target.exists()
    fetch(server, target)
    assert target.read_bytes() == BODY
    assert ranges(server)[-1][1] == 206


def test_progress_between_failures_starts_the_count_again(server, target):
    server.faults["a b/file.dat"] += [Fault(cut=70_000)] * 4
    policy = Policy(attempts=2, progress_bytes=60_000, backoff=0.001, backoff_max=0.002, read_timeout=1.0)
    fetch(server, target, policy=policy)
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("chunked", [False, True])
def test_a_truncated_body_is_noticed(server, target, chunked):
    fault = Fault(cut=10_000) if not chunked else Fault(body=BODY[:10_000], chunked=True)
    server.faults["a b/file.dat"] += [fault]
    fetch(server, target)
    assert target.read_bytes() == BODY


def test_another_etag_starts_from_zero(server, target):
    server.faults["a b/file.dat"] += [Fault(cut=140_000)] + [Fault(status=503)] * 3
    with pytest.raises(DataError):
        fetch(server, target)
    changed = BODY[::-1]
    server.files["a b/file.dat"] = changed
    fetch(server, target, hashlib.sha256(changed).hexdigest())
    assert target.read_bytes() == changed
    assert ranges(server)[-1][0] is not None
    assert ranges(server)[-1][1] == 200


def test_a_server_that_resumes_another_file_is_not_believed(server, target):
    server.faults["a b/file.dat"] += [Fault(cut=140_000), Fault(headers={"ETag": '"other"'})]
    fetch(server, target)
    assert target.read_bytes() == BODY
    assert [status for _, status in ranges(server)] == [200, 206, 200]


def test_a_server_that_resumes_at_another_place_is_not_believed(server, target):
    server.faults["a b/file.dat"] += [Fault(cut=140_000), Fault(headers={"Content-Range": "bytes 7-99/300000"})]
    fetch(server, target, digest=None)
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_strong_etag_the_date_validates(server, target, etag):
    server.etags["a b/file.dat"] = etag
    server.faults["a b/file.dat"] += [Fault(cut=140_000)]
    fetch(server, target)
    assert target.read_bytes() == BODY
    assert ranges(server)[-1][1] == 206


def test_without_any_validator_nothing_is_resumed(server, target):
    server.etags["a b/file.dat"] = ""
    server.faults["a b/file.dat"] += [Fault(cut=140_000, headers={"Last-Modified": ""})]
    fetch(server, target)
    assert ranges(server) == [(None, 200), (None, 200)]


def test_a_wrong_checksum_names_both_sums_after_one_more_try(server, target):
    with pytest.raises(DataError) as caught:
        fetch(server, target, digest="0" * 64)
    assert DIGEST in str(caught.value)
    assert "0" * 64 in str(caught.value)
    assert "file.dat" in str(caught.value)
    assert len(server.gets()) == 2
    assert not target.exists()
    assert list(target.parent.iterdir()) == []


def test_a_wrong_checksum_once_is_mended_by_the_second_try(server, target):
    server.faults["a b/file.dat"] += [Fault(body=BODY[:-1] + b"?")]
    fetch(server, target)
    assert target.read_bytes() == BODY


def test_a_complete_part_is_only_renamed(server, target):
    with Client(QUICK) as client:
        url, part = f"{server.url}/a%20b/file.dat", target.parent / "file.part"
        client.fetch(url, target, part, DIGEST)
        target.rename(part)
        part.with_name("file.part.json").write_text(f'{{"tag": "", "total": {len(BODY)}}}')
        client.fetch(url, target, part, DIGEST)
    assert target.read_bytes() == BODY
    assert len(server.gets()) == 1


@pytest.mark.parametrize("note", ["", "[]", '{"tag": "\\"x\\""', '{"tag": "\\"x\\"", "total": 5}'])
def test_a_damaged_note_or_an_overlong_part_starts_from_zero(server, target, note):
    target.parent.mkdir()
    (target.parent / "file.part").write_bytes(b"rubbish" * 100_000)
    (target.parent / "file.part.json").write_text(note)
    fetch(server, target)
    assert target.read_bytes() == BODY


@pytest.mark.parametrize(("status", "word"), [(404, "404"), (401, "refused"), (403, "refused"), (400, "400")])
def test_a_refusal_is_final(server, target, status, word):
    server.faults["a b/file.dat"] += [Fault(status=status)]
    with pytest.raises(DataError, match=word):
        fetch(server, target)
    assert len(server.gets()) == 1


@pytest.mark.parametrize("there", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://x/"])
def test_a_redirect_to_another_scheme_is_refused(server, target, there):
    server.faults["a b/file.dat"] += [Fault(status=302, headers={"Location": there})]
    with pytest.raises(DataError, match="redirects to"):
        fetch(server, target)
    assert not target.exists()


def test_a_redirect_keeps_the_range(server, target):
    server.files["mirror.dat"] = BODY
    server.faults["a b/file.dat"] += [Fault(status=302, headers={"Location": "/mirror.dat"})] * 2
    server.faults["mirror.dat"] += [Fault(cut=140_000)]
    fetch(server, target)
    assert target.read_bytes() == BODY
    assert [one.status for one in server.gets("mirror.dat")] == [200, 206]


def test_redirects_in_a_circle_end(server, target):
    server.faults["a b/file.dat"] += [Fault(status=301, headers={"Location": "/a%20b/file.dat"})] * 9
    with pytest.raises(DataError, match="more than 5 redirects"):
        fetch(server, target)


def test_https_does_not_fall_to_http():
    from cgdmer.acquisition.connection import schemes

    assert schemes("https://host/a") == ("https",)
    assert "https" in schemes("http://host/a")


def test_no_server_at_all_is_an_error_after_the_attempts(target):
    with Client(QUICK) as client, pytest.raises(DataError, match="no connection"):
        client.fetch("http://127.0.0.1:9/x", target, target.parent / "x.part")


def test_a_url_that_is_none_is_a_config_error(target):
    with Client(QUICK) as client, pytest.raises(ConfigError, match="cannot be requested"):
        client.fetch("http://", target, target.parent / "x.part")


def test_stop_ends_the_next_request(server, target):
    with Client(QUICK) as client:
        client.stop()
        with pytest.raises(Stopped):
            client.fetch(f"{server.url}/a%20b/file.dat", target, target.parent / "x.part")
    assert server.requests == []


def test_size_asks_without_fetching_and_survives_refusal(server):
    server.heads["other"] += [Fault(status=405)]
    with Client(QUICK) as client:
        assert client.size(f"{server.url}/a%20b/file.dat") == len(BODY)
        assert client.size(f"{server.url}/other") is None
    assert server.gets() == []


def test_an_empty_file_is_a_file(server, target):
    server.files["a b/file.dat"] = b""
    fetch(server, target, hashlib.sha256(b"").hexdigest())
    assert target.read_bytes() == b""


def test_one_connection_serves_many_files(server, tmp_path):
    """Otherwise tens of thousands of small files would each need a TLS handshake."""
    with Client(QUICK) as client:
        for number in range(5):
            assert client.size(f"{server.url}/a%20b/file.dat") == len(BODY)
            client.fetch(f"{server.url}/a%20b/file.dat", tmp_path / str(number), tmp_path / "part", DIGEST)
    assert len(server.requests) == 10
    assert len({one.port for one in server.requests}) == 1
