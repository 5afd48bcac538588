"""Owns asking a server: sessions kept open, redirects never to a weaker scheme, and which answers may change later."""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import quote, urljoin, urlsplit

import requests

from cgdmer.errors import ConfigError, DataError
from cgdmer.version import __version__

TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
"""HTTP states that a later attempt may not meet."""
REDIRECTS = 5


@dataclass(frozen=True)
class Policy:
    """How hard a download tries; seconds and bytes."""

    connections: int = 4
    attempts: int = 6
    """Failures in a row, without `progress` bytes between them, before giving up."""
    progress: int = 1 << 20
    backoff: float = 1.0
    """The first pause; it doubles with each failure, up to `longest`, and is drawn from its upper half."""
    longest: float = 60.0
    patience: float = 600.0
    """The longest Retry-After that is waited for."""
    connect: float = 15.0
    read: float = 60.0
    """Silence after which a connection counts as lost."""


class Again(Exception):
    """This attempt failed in a way that the next may not; `wait` is what the server asked for, in seconds."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class Connections:
    """One session a thread, kept open between files; proxies and ~/.netrc count as everywhere."""

    def __init__(self, policy: Policy) -> None:
        self._timeout = (policy.connect, policy.read)
        self._local = threading.local()
        self._sessions: list[requests.Session] = []

    def close(self) -> None:
        for session in self._sessions:
            session.close()

    def open(self, method: str, url: str, headers: dict[str, str]) -> requests.Response:
        """Return an answer whose body is not read yet, after redirects.

        Errors: Again on a transient answer or none; DataError when the server refuses or redirects to a weaker scheme.
        """
        here = url
        for _ in range(REDIRECTS + 1):
            response = self._send(method, here, headers)
            if not response.is_redirect:
                return _accepted(response, url)
            response.close()
            there = urljoin(here, response.headers["Location"])
            if urlsplit(there).scheme not in schemes(url):
                only = " or ".join(schemes(url))
                raise DataError(f"{here} redirects to {there}", allowed=f"{only} only", fix="correct the URL")
            here = there
        raise DataError(f"{url}: more than {REDIRECTS} redirects", fix="correct the URL")

    def _send(self, method: str, url: str, headers: dict[str, str]) -> requests.Response:
        try:
            return self._session().request(
                method, url, headers=headers, stream=True, allow_redirects=False, timeout=self._timeout
            )
        except (requests.ConnectionError, requests.Timeout) as error:
            raise Again(f"no connection ({type(error).__name__})") from error
        except (requests.RequestException, ValueError) as error:
            raise ConfigError(f"{url} cannot be asked for: {error}", fix="correct the URL in params.yaml") from error

    def _session(self) -> requests.Session:
        """Return this thread's session; compression is declined, because ranges and sums are of the plain bytes."""
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.headers.update({"User-Agent": f"cgdmer/{__version__}", "Accept-Encoding": "identity"})
            self._sessions.append(self._local.session)
        session: requests.Session = self._local.session
        return session


def address(base: str, path: str) -> str:
    """Return the URL of a file below a base URL, its name quoted."""
    return f"{base.rstrip('/')}/{quote(path)}"


def schemes(url: str) -> tuple[str, ...]:
    """Return the schemes a download may use: https stays https; http was asked for by name, and may rise to https."""
    return ("https",) if urlsplit(url).scheme == "https" else ("http", "https")


def _accepted(response: requests.Response, url: str) -> requests.Response:
    """Return an answer that can be used; Again where a later one may be, DataError where none will."""
    status = response.status_code
    if status < HTTPStatus.BAD_REQUEST or status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return response
    response.close()
    if status in TRANSIENT:
        raise Again(f"the server answers {status}", _retry_after(response))
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise DataError(
            f"{url}: access refused ({status})",
            fix="sign the data use agreement, and put the account into ~/.netrc if the host asks for one",
        )
    raise DataError(f"{url}: the server answers {status}", fix="correct the URL in params.yaml, or set it to null")


def _retry_after(response: requests.Response) -> float:
    """Return the seconds of a Retry-After header, which is a number or a date; 0 without one."""
    value = response.headers.get("Retry-After", "")
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
