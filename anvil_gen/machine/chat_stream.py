"""One chat request whose answer is read as it comes, with the time of each part."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

_SECONDS = 300.0
"""A server that says nothing for so long does not answer."""


class StreamedAnswer(Struct, frozen=True, kw_only=True):
    """What came of a request: seconds from its start; ``error`` is why nothing came."""

    first_token: float = 0.0
    seconds: float = 0.0
    tokens: int = 0
    error: str = ""


def stream_chat(base_url: str, key: str, body: dict[str, Any]) -> StreamedAnswer:
    """Send a chat request, and read its answer to the end."""
    import ssl  # noqa: PLC0415
    from http.client import HTTPConnection, HTTPException, HTTPSConnection  # noqa: PLC0415

    url = urlsplit(base_url)
    connection: HTTPConnection = HTTPConnection(url.hostname or "", url.port, timeout=_SECONDS)
    if url.scheme == "https":  # whose name is in the certificate does not matter on this machine
        context = ssl._create_unverified_context()  # noqa: S323
        connection = HTTPSConnection(url.hostname or "", url.port, timeout=_SECONDS, context=context)
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    asked = {**body, "stream": True, "stream_options": {"include_usage": True}}
    try:
        began = time.monotonic()
        connection.request("POST", f"{url.path}/chat/completions", json.dumps(asked), headers)
        reply = connection.getresponse()
        if reply.status != 200:
            return StreamedAnswer(error=f"{reply.status}: {reply.read(500).decode(errors='replace')}")
        return _read(reply, began)
    except (OSError, HTTPException, ValueError) as error:
        return StreamedAnswer(error=str(error) or type(error).__name__)
    finally:
        connection.close()


def _read(lines: Iterable[bytes], began: float) -> StreamedAnswer:
    """Read the events of an answer; where it does not count its tokens, each piece is one."""
    first, pieces, counted = 0.0, 0, 0
    for line in lines:
        if not line.startswith(b"data: {"):
            continue
        event = json.loads(line.removeprefix(b"data: "))
        counted = ((event.get("usage") or {}).get("completion_tokens")) or counted
        if any(_text(choice.get("delta") or {}) for choice in event.get("choices") or ()):
            first = first or time.monotonic() - began
            pieces += 1
    if not pieces:
        return StreamedAnswer(error="it answers without a word")
    return StreamedAnswer(first_token=first, seconds=time.monotonic() - began, tokens=counted or pieces)


def _text(delta: dict[str, Any]) -> str:
    """Return what a piece says, thoughts included."""
    return str(delta.get("content") or delta.get("reasoning_content") or delta.get("reasoning") or "")
