"""A file of the Hugging Face Hub, written as it comes, and gone on with where it stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx2
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import get_session, hf_raise_for_status
from msgspec import Struct

_ATTEMPTS = 5
_PAUSE_SECONDS = 1.0
_LATER = {httpx2.codes.REQUEST_TIMEOUT, httpx2.codes.TOO_MANY_REQUESTS}
"""What is refused now alone."""
PART = ".part"
"""Behind the name of a file that is not complete."""


class Stream(Struct, frozen=True):
    """A file to be written; ``progress`` is told how many bytes have come, and how many of them were for nothing."""

    url: str
    headers: Mapping[str, str]
    target: Path
    size: int
    progress: Callable[[int], None]

    def write(self) -> None:
        """Write it: a break in between is gone on with, some times.

        Raises:
            HfHubHTTPError: the hub refuses it.
            httpx2.HTTPError: it cannot be reached, again and again.
            OSError: what has come is not what was promised, or the disk does not take it.
        """
        if self.target.is_file():
            return
        self.target.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(_ATTEMPTS):
            try:
                self._go_on()
                break
            except httpx2.HTTPError as error:
                if attempt == _ATTEMPTS - 1 or _is_refusal(error):
                    raise
                time.sleep(_PAUSE_SECONDS * attempt)
        if self._part.stat().st_size != self.size:
            came = self._part.stat().st_size
            self._part.unlink()
            raise OSError(f"{came} bytes came of {self.target.name}, and {self.size} were promised")
        self._part.replace(self.target)

    @property
    def _part(self) -> Path:
        return self.target.with_name(self.target.name + PART)

    def _go_on(self) -> None:
        """Ask for what is missing."""
        there = self._part.stat().st_size if self._part.is_file() else 0
        if self.size and there == self.size:
            return
        plain = {**self.headers, "Accept-Encoding": "identity"}
        asked = {**plain, **({"Range": f"bytes={there}-"} if 0 < there < self.size else {})}
        with get_session().stream("GET", self.url, headers=asked, follow_redirects=True) as answer:
            if answer.status_code >= httpx2.codes.BAD_REQUEST:
                answer.read()
            hf_raise_for_status(answer)
            goes_on = answer.status_code == httpx2.codes.PARTIAL_CONTENT
            if there and not goes_on:
                self.progress(-there)
            with self._part.open("ab" if goes_on else "wb") as file:
                for chunk in answer.iter_raw():
                    file.write(chunk)
                    self.progress(len(chunk))
                file.flush()
                os.fsync(file.fileno())


def _is_refusal(error: httpx2.HTTPError) -> bool:
    """Tell whether the hub says no, and will say it again."""
    return (
        isinstance(error, HfHubHTTPError)
        and error.response.is_client_error
        and error.response.status_code not in _LATER
    )
