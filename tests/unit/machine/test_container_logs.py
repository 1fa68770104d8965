"""Lines of containers' logs, from what `docker logs` prints."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from inspected import inspected
from msgspec.structs import replace

from anvil_gen.machine.container_logs import LogReader, parse_line
from anvil_gen.machine.docker import Docker

T = "2026-11-02T09:14:0{}.000000001Z"
ONE = replace(inspected(), started_at="2026-11-02T09:14:00.5Z")


@pytest.mark.parametrize(
    ("printed", "lines"),
    [
        (f"{T.format(1)} a b\n{T.format(2)} c\n", ["a b", "c"]),
        (f"{T.format(1)} \x1b[1;36m(Core pid=1)\x1b[0;0m ERROR\n", ["(Core pid=1) ERROR"]),
        (f"{T.format(1)} \x1b]0;title\x07x\x1b[2Ky\n", ["xy"]),
        (f"{T.format(1)} 10%\r20%\r30%\n", ["10%", "20%", "30%"]),
        (f"{T.format(1)} {'x' * 10_000}\n", ["x" * 2000]),
        (f"{T.format(1)} a\x85b\x0bc\u2028d\n", ["a\x85b\x0bc\u2028d"]),
        (f"{T.format(1)}\n", [""]),
        ("Error response from daemon: configured logging driver does not support reading\n", []),
        ("", []),
    ],
)
def test_lines(printed: str, lines: list[str]) -> None:
    assert [text for _, text in parse_line(printed)] == lines


class Printing(Docker):
    """An engine whose answers are the files of a folder, one a question."""

    def __init__(self, folder: Path, *answers: bytes) -> None:
        super().__init__()
        self.asked: list[tuple[str, ...]] = []
        self._answers = [folder / str(number) for number in range(len(answers))]
        for path, answer in zip(self._answers, answers, strict=True):
            path.write_bytes(answer)

    def popen_merged(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Print the next answer."""
        path = self._answers[len(self.asked)]
        self.asked.append(arguments)
        code = "import shutil, sys; shutil.copyfileobj(open(sys.argv[1], 'rb'), sys.stdout.buffer)"
        return subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )


def test_a_log_is_read_on_from_its_last_line(tmp_path: Path) -> None:
    first, second = f"{T.format(1)} a\n{T.format(2)} b\n", f"{T.format(2)} b\n{T.format(3)} c\n"
    docker = Printing(tmp_path, first.encode(), second.encode(), second.encode())
    reader = LogReader(docker)

    assert [reader.read([ONE])["1"] for _ in range(3)] == [("a", "b"), ("c",), ()]
    since = [arguments[arguments.index("--since") + 1] for arguments in docker.asked]
    assert since == ["2026-11-02T09:13:58Z", T.format(2), T.format(3)]


def test_bytes_that_are_no_text_are_read(tmp_path: Path) -> None:
    docker = Printing(tmp_path, T.format(1).encode() + b" \xff\x00\xfe\n")

    assert LogReader(docker).read([ONE]) == {"1": ("\ufffd\x00\ufffd",)}


@pytest.mark.parametrize("megabytes", [5, 40])
def test_of_a_flood_the_end_is_read(tmp_path: Path, megabytes: int) -> None:
    docker = Printing(tmp_path, f"{T.format(1)} {'x' * (megabytes << 20)}\n{T.format(2)} late\n".encode())

    assert LogReader(docker).read([ONE])["1"][-1] == "late"


def test_a_flood_without_an_end_is_left(tmp_path: Path) -> None:
    docker = Printing(tmp_path, f"{T.format(1)} {'x' * (70 << 20)}\n{T.format(2)} late\n".encode())

    assert LogReader(docker).read([ONE]) == {"1": ()}


def test_what_never_started_has_no_log(tmp_path: Path) -> None:
    docker = Printing(tmp_path)

    assert LogReader(docker).read([replace(ONE, started_at="0001-01-01T00:00:00Z")]) == {}
    assert docker.asked == []
