"""What another program prints on this terminal, without secrets."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from anvil_gen.text.masking import MASK, secret_forms

_PIECE = 65536


class Filter:
    """Replaces secrets in a stream, also those that it brings in pieces."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Take the secrets, of any form in which they may be printed."""
        self._forms = [form.encode("utf-8", "surrogateescape") for form in secret_forms(secrets)]
        self._any = re.compile(b"|".join(map(re.escape, self._forms)))
        self._kept = b""

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to replace."""
        return not self._forms

    def pass_on(self, piece: bytes, *, last: bool = False) -> bytes:
        """Return what may be printed by now: all but an end that may be the start of a secret."""
        text = self._kept + piece
        end = len(text) - (0 if last else max((_overlap(text, form) for form in self._forms), default=0))
        # None is cut in two.
        end = next((found.start() for found in self._any.finditer(text) if found.start() < end < found.end()), end)
        self._kept = text[end:]
        return self._any.sub(MASK.encode(), text[:end])


def _overlap(text: bytes, form: bytes) -> int:
    """Return how many bytes at the end of a text may be the start of a secret."""
    return next((size for size in range(min(len(form) - 1, len(text)), 0, -1) if text.endswith(form[:size])), 0)


@contextmanager
def filtered(target: int, secrets: Iterable[str]) -> Iterator[int]:
    """Yield a descriptor for a program to print to, which passes on to ``target`` what is no secret.

    Another process does that, so that a program which outlives this one still has somebody to read it. Where there
    are no secrets, or no such processes, the descriptor is ``target`` itself.
    """
    found = Filter(secrets)
    if found.is_empty or sys.platform == "win32":
        yield target
        return
    reader, writer = _terminal_like(target) if os.isatty(target) else os.pipe()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(writer)
        _relay(reader, target, found)
    os.close(reader)
    try:
        yield writer
    finally:
        os.close(writer)
        with suppress(ChildProcessError):
            os.waitpid(child, 0)


def _terminal_like(target: int) -> tuple[int, int]:
    """Return both ends of a terminal of the same size, which leaves lines as they are."""
    import fcntl  # noqa: PLC0415  not on every system
    import termios  # noqa: PLC0415

    reader, writer = os.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, fcntl.ioctl(target, termios.TIOCGWINSZ, bytes(8)))
    attributes = termios.tcgetattr(writer)
    attributes[1] &= ~termios.OPOST
    termios.tcsetattr(writer, termios.TCSANOW, attributes)
    return reader, writer


def _relay(reader: int, target: int, secrets: Filter) -> None:
    """Pass on what is printed until nobody prints any more, and end the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the program decides what to finish
    with suppress(OSError):  # the end of a terminal, or a target that has gone
        while piece := os.read(reader, _PIECE):
            _write(target, secrets.pass_on(piece))
    with suppress(OSError):
        _write(target, secrets.pass_on(b"", last=True))
    os._exit(0)


def _write(target: int, text: bytes) -> None:
    while text:
        text = text[os.write(target, text) :]
