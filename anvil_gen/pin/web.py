"""Requests over HTTP that wait and try again where a server asks for that."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx2

from anvil_gen import __version__

Sleep = Callable[[float], None]

ATTEMPTS = 5
_FIRST_WAIT = 1.0
_LONGEST_WAIT = 30.0
_SECONDS = 20.0
_HANDSHAKE_SECONDS = 5.0
_BUSY = (429, 500, 502, 503, 504)
_LARGEST = 4 << 20
"""Of what is read; registries take no larger manifests."""


class Answer:
    """What a server has answered."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body


class NoAnswerError(Exception):
    """A server cannot be reached, or breaks off; the text says why, without the address."""


class Web:
    """Sends requests, each up to `ATTEMPTS` times."""

    def __init__(self, *, sleep: Sleep = time.sleep) -> None:
        self._sleep = sleep
        # No login from ~/.netrc: Docker knows none either.
        self._client = httpx2.Client(
            timeout=_SECONDS,
            follow_redirects=True,
            auth=lambda request: request,
            headers={"User-Agent": f"anvil-gen/{__version__}"},
        )

    def send(self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None = None) -> Answer:
        """Return the answer to a request; of a server that stays busy, the last one.

        Raises:
            NoAnswerError: there is none.
        """
        for attempt in range(ATTEMPTS):
            last = attempt == ATTEMPTS - 1
            try:
                answer = self._send(method, url, headers, form)
            except httpx2.RequestError as error:
                # What does not listen or has no name has none a second later.
                if last or isinstance(error, httpx2.ConnectError):
                    raise NoAnswerError(_reason(error)) from None
                self._sleep(wait_seconds(attempt, ""))
                continue
            except httpx2.InvalidURL as error:
                raise NoAnswerError(str(error)) from None
            if answer.status not in _BUSY or last:
                return answer
            self._sleep(wait_seconds(attempt, answer.headers.get("retry-after", "")))
        raise NoAnswerError("no attempt was made")

    def _send(self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None) -> Answer:
        body = b""
        with self._client.stream(method, url, headers=dict(headers), data=dict(form) if form else None) as response:
            for piece in response.iter_bytes():
                body += piece
                if len(body) > _LARGEST:
                    raise NoAnswerError(f"it answers more than {_LARGEST >> 20} MiB")
            return Answer(response.status_code, response.headers, body)


def speaks_tls(address: str) -> bool:
    """Tell whether a server, by its host and port, speaks TLS, whatever its certificate."""
    any_certificate = ssl.create_default_context()
    any_certificate.check_hostname, any_certificate.verify_mode = False, ssl.CERT_NONE
    parts = urlsplit(f"https://{address}")
    place = (parts.hostname or "", parts.port or 443)
    try:
        with (
            socket.create_connection(place, timeout=_HANDSHAKE_SECONDS) as plain,
            any_certificate.wrap_socket(plain, server_hostname=parts.hostname),
        ):
            return True
    except OSError:  # nobody listens, or it is no TLS
        return False


def wait_seconds(attempt: int, asked: str) -> float:
    """Return the seconds to wait: those that the server asks for, else twice as long each time."""
    seconds: float = _FIRST_WAIT * 2**attempt
    if asked.isdecimal():
        seconds = float(asked)
    elif asked:
        with suppress(ValueError):
            seconds = parsedate_to_datetime(asked).timestamp() - time.time()
    return min(max(seconds, 0.0), _LONGEST_WAIT)


def _reason(error: Exception) -> str:
    if isinstance(error, httpx2.TimeoutException):
        return f"no answer within {_SECONDS:.0f} seconds"
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return f"its certificate is not trusted here ({error}); SSL_CERT_FILE names a file of authorities to trust"
    return str(error) or type(error).__name__
