"""HTTP on the loopback, without the machine's proxies."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, NamedTuple

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
REQUEST_SECONDS = 120


class Answer(NamedTuple):
    """The status and text of an HTTP answer."""

    status: int
    text: str


def ask(port: int, path: str, *, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
    """Send a GET to 127.0.0.1, or a POST of `body` as JSON, and return the answer, whatever its status.

    Raises:
        OSError: nobody answers.

    """
    data = None if body is None else json.dumps(body).encode()
    url = f"http://127.0.0.1:{port}{path}"
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})})
    try:
        with DIRECT.open(request, timeout=REQUEST_SECONDS) as reply:
            return Answer(reply.status, reply.read().decode())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read().decode())


def wait_for(port: int, path: str = "/health", *, seconds: float = 120, status: int = 200) -> Answer:
    """Wait until a GET is answered with a status, and return the answer.

    Raises:
        AssertionError: it is not, in time; the text has the last answer.

    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            last: Answer | OSError = ask(port, path)
        except OSError as error:
            last = error
        if isinstance(last, Answer) and last.status == status:
            return last
        assert time.monotonic() < deadline, f"no {status} from 127.0.0.1:{port}{path} in {seconds} s: {last}"
        time.sleep(0.1)
