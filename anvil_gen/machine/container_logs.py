"""The lines that containers have printed: those since the last read, and those at both ends."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from subprocess import Popen
from typing import IO

from anvil_gen.machine.containers import Container, moment
from anvil_gen.machine.docker import Docker
from anvil_gen.patterns import lazy_pattern

_TAIL = "2000"
_KEPT = 4 << 20  # bytes of one read: the end matters most
_LARGEST = 16 * _KEPT  # bytes of one read at most; a program that floods its log could print faster
_HEAD = 1 << 20  # bytes of a log's beginning, where a program says what it runs on
_END_LINES = "200"
_LONGEST = 2000  # characters of a line; the rest adds nothing
# A quick program prints before Docker has noted that it runs.
_SLACK = timedelta(seconds=2)
_NEVER = "0001-01-01"
_TIMESTAMPED = lazy_pattern(r"(?P<time>\d{4}-\d\d-\d\dT[\d:.]+Z) ?(?P<text>.*)", re.DOTALL)
# Colours, cursor movements and titles, which control a terminal and carry no text.
_CONTROL = lazy_pattern(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?")


class LogReader:
    """Reads the logs of containers incrementally, from the start of each container."""

    def __init__(self, docker: Docker) -> None:
        """Read by a `docker` command line."""
        self._docker = docker
        self._last: dict[str, str] = {}  # by container id: the time of the last line

    def read(self, containers: Iterable[Container]) -> dict[str, tuple[str, ...]]:
        """Return the new lines of each container by its id, without terminal control sequences.

        There are none where a log cannot be read, as with the driver `none`.
        """
        # All at once, since most of the time is Docker's.
        started = {one.id: self._start(one) for one in containers if not one.started_at.startswith(_NEVER)}
        return {container_id: self._new(container_id, process) for container_id, process in started.items()}

    def _start(self, container: Container) -> Popen[bytes]:
        since = self._last.get(container.id) or since_start(container)
        return self._docker.popen_merged("logs", "--timestamps", "--tail", _TAIL, "--since", since, container.id)

    def _new(self, container_id: str, process: Popen[bytes]) -> tuple[str, ...]:
        with process:
            printed = b"" if process.stdout is None else _read_tail(process.stdout)
            process.kill()  # it has ended, or has more output than is read now
        last = self._last.get(container_id, "")
        timestamped = [(time, text) for time, text in parse_line(printed.decode("utf-8", "replace")) if time > last]
        if timestamped:
            self._last[container_id] = timestamped[-1][0]
        return tuple(text for _, text in timestamped if text)


def _read_tail(stream: IO[bytes]) -> bytes:
    """Return the last bytes of a stream, or of as much of it as one read takes."""
    pieces: deque[bytes] = deque(maxlen=2)
    for _ in range(_LARGEST // _KEPT):
        piece = stream.read(_KEPT)
        if not piece:
            break
        pieces.append(piece)
    return b"".join(pieces)


def parse_line(printed: str) -> Iterator[tuple[str, str]]:
    """Yield the time and the text of each line that `docker logs --timestamps` prints.

    What a program overwrites with carriage returns, such as a progress bar, counts as lines of the same time. Lines
    without a time are Docker's own.
    """
    for line in printed.split("\n"):
        match = _TIMESTAMPED.match(line)
        if match is None:
            continue
        for part in match["text"].split("\r"):
            text = _CONTROL.sub("", part[:_LONGEST]).rstrip()
            yield match["time"], text


def since_start(container: Container) -> str:
    """Return the time from which the lines of a container's current run are read."""
    return (moment(container.started_at) - _SLACK).strftime("%Y-%m-%dT%H:%M:%SZ")


class LogEnds:
    """The first and the last lines of logs, which are being read while something else is done."""

    def __init__(self, docker: Docker, containers: Mapping[str, Container]) -> None:
        """Start to read the logs of running containers, by any name."""
        self._docker = docker
        self._containers = containers
        self._started = {
            name: docker.popen_merged("logs", "--timestamps", "--since", since_start(one), one.id)
            for name, one in containers.items()
        }

    def lines(self) -> dict[str, tuple[str, ...]]:
        """Return the lines of each log: all of a short one."""
        heads = {name: _read(process, _HEAD) for name, process in self._started.items()}
        # A long log is not read to its end, which may be far.
        long = [name for name, head in heads.items() if len(head) == _HEAD]
        tails = {name: self._start_tail(self._containers[name]) for name in long}
        ends = {name: _read(process, _HEAD) for name, process in tails.items()}
        return {name: tuple(_texts(head)) + tuple(_texts(ends.get(name, b""))) for name, head in heads.items()}

    def _start_tail(self, container: Container) -> Popen[bytes]:
        return self._docker.popen_merged("logs", "--timestamps", "--tail", _END_LINES, container.id)


def _read(process: Popen[bytes], size: int) -> bytes:
    with process:
        printed = b"" if process.stdout is None else process.stdout.read(size)
        process.kill()  # it has ended, or has more output than is wanted
    return printed


def _texts(printed: bytes) -> Iterator[str]:
    return (text for _, text in parse_line(printed.decode("utf-8", "replace")) if text)
