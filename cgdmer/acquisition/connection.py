"""HTTP requests: pooled connections, redirects that never weaken the scheme, and errors sorted by whether to retry."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import quote, urlsplit

import requests
from requests.adapters import HTTPAdapter

from cgdmer.errors import ConfigError, DataError
from cgdmer.version import __version__

TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
"""HTTP status codes that may not recur on a later attempt."""
REDIRECTS = 5


@dataclass(frozen=True)
class Policy:
    """Connections, retries and timeouts of a download; times in seconds."""

    connections: int = 4
    attempts: int = 6
    """Consecutive failures, with fewer than `progress_bytes` received between them, before giving up."""
    progress_bytes: int = 1 << 20
    backoff: float = 1.0
    """Upper bound of the first pause; it doubles with each failure up to `backoff_max`. A pause is drawn from the upper
    half, so that many clients do not retry at the same moment."""
    backoff_max: float = 60.0
    retry_after_max: float = 600.0
    """Longest Retry-After that is honoured; a longer one is an error."""
    connect_timeout: float = 15.0
    read_timeout: float = 60.0
    """A connection that is silent for longer counts as lost."""


class TransientError(Exception):
    """An attempt failed and the next one may succeed; `wait` is the pause in seconds that the server asked for."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class Connections:
    """Connections that the download threads share and reuse; proxies and ~/.netrc apply as everywhere in requests."""

    def __init__(self, policy: Policy) -> None:
        self._timeout = (policy.connect_timeout, policy.read_timeout)
        self._sessions = {scheme: _session(scheme, policy.connections) for scheme in ("http", "https")}

    def close(self) -> None:
        for session in self._sessions.values():
            session.close()

    def open(self, method: str, url: str, headers: dict[str, str]) -> requests.Response:
        """Follow redirects and return the response with its body unread.

        Raises TransientError on a transient status or a lost connection; DataError when the server refuses or redirects
        to a weaker scheme; ConfigError for an invalid URL.
        """
        allowed = schemes(url)
        try:
            response = self._sessions[allowed[0]].request(
                method, url, headers=headers, stream=True, allow_redirects=True, timeout=self._timeout
            )
        except (requests.ConnectionError, requests.Timeout) as error:
            raise TransientError(f"no connection ({type(error).__name__})") from error
        except requests.TooManyRedirects as error:
            raise DataError(f"{url}: more than {REDIRECTS} redirects", fix="correct the URL") from error
        except requests.exceptions.InvalidSchema as error:
            only = " or ".join(allowed)
            raise DataError(
                f"{url} redirects to another scheme: {error}", allowed=f"{only} only", fix="correct the URL"
            ) from error
        except (requests.RequestException, ValueError) as error:
            raise ConfigError(f"{url} cannot be requested: {error}", fix="correct the URL in params.yaml") from error
        return _checked(response, url)


def file_url(base: str, path: str) -> str:
    """Return the URL of a file below a base URL, with its path quoted."""
    return f"{base.rstrip('/')}/{quote(path)}"


def schemes(url: str) -> tuple[str, ...]:
    """Return the schemes that a download from `url` may use: https stays https; http may be redirected to https."""
    return ("https",) if urlsplit(url).scheme == "https" else ("http", "https")


def _session(scheme: str, connections: int) -> requests.Session:
    """Return a session that can reach only the schemes allowed for `scheme`, also after a redirect.

    Compression is declined, because ranges and checksums are of the plain bytes. Cookies are declined, because the
    threads share the session.
    """
    session = requests.Session()
    session.headers.update({"User-Agent": f"cgdmer/{__version__}", "Accept-Encoding": "identity"})
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.max_redirects = REDIRECTS
    session.adapters.clear()
    for name in schemes(f"{scheme}:"):
        session.mount(f"{name}://", HTTPAdapter(pool_maxsize=connections))
    return session


def _checked(response: requests.Response, url: str) -> requests.Response:
    """Return a usable response; raise TransientError for a transient status and DataError for any other failure."""
    status = response.status_code
    if status < HTTPStatus.BAD_REQUEST or status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return response
    response.close()
    if status in TRANSIENT:
        raise TransientError(f"the server answers {status}", _retry_after(response))
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise DataError(
            f"{url}: access refused ({status})",
            fix="sign the data use agreement, and add your account to ~/.netrc if the host requires one",
        )
    raise DataError(f"{url}: the server answers {status}", fix="correct the URL in params.yaml, or set it to null")


def _retry_after(response: requests.Response) -> float:
    """Return the seconds of a Retry-After header, which is a number or a date; 0 without one.

    urllib3's parser is not used because it caps the value silently; a wait that is too long is an error here.
    """
    value = response.headers.get("Retry-After", "")
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
