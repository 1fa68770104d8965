"""A short load: its requests, its levels, and what is kept of it; against a server of the test's own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from anvil_gen.cli.views.bench import show_result
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.machine.chat_stream import StreamedAnswer, stream_chat
from anvil_gen.operate.bench import ANSWER_TOKENS, Bench, Level, bench, history_file, keep, last_of, scales_to, steps

PIECE = 'data: {"choices": [{"delta": {"content": "word "}}]}\n\n'
USAGE = 'data: {"choices": [], "usage": {"completion_tokens": 7}}\n\n'


@contextmanager
def chatting(pieces: list[str], *, status: int = 200) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Answer every chat request with these pieces; yield the base URL, and the requests with their keys."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append({"path": self.path, "key": self.headers.get("Authorization"), **body})
            self.send_response(status)
            self.end_headers()
            for piece in pieces:
                time.sleep(0.01)
                self.wfile.write(piece.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        server.server_close()


def test_an_answer_is_timed_by_its_pieces() -> None:
    with chatting([": nothing\n\n", 'data: {"choices": [{"delta": {"role": "assistant"}}]}\n\n', PIECE, PIECE]) as (
        url,
        asked,
    ):
        found = stream_chat(url, "secret", {"model": "m"})

    assert (found.tokens, found.error) == (2, "")
    assert 0.02 <= found.first_token < found.seconds
    assert asked[0] | {"path": "/v1/chat/completions", "key": "Bearer secret", "stream": True} == asked[0]


def test_tokens_are_those_that_the_server_counts() -> None:
    with chatting([PIECE, USAGE, "data: [DONE]\n\n"]) as (url, asked):
        found = stream_chat(url, "", {"model": "m"})

    assert (found.tokens, asked[0]["key"]) == (7, None)


@pytest.mark.parametrize(
    ("pieces", "status", "error"),
    [(['{"error": "no key"}'], 401, "401: "), (["data: [DONE]\n\n"], 200, "it answers without a word")],
)
def test_why_nothing_came_is_said(pieces: list[str], status: int, error: str) -> None:
    with chatting(pieces, status=status) as (url, _):
        assert stream_chat(url, "", {"model": "m"}).error.startswith(error)
    assert stream_chat("http://127.0.0.1:1/v1", "", {"model": "m"}).error


def test_a_run_goes_up_and_no_request_begins_like_another() -> None:
    told: list[Level] = []
    with chatting([PIECE] * 3) as (url, asked):
        run = bench("fast", "m", 3, partial(stream_chat, url, "k"), told=told.append, host="box")

    assert [level.at_once for level in run.levels] == [1, 2, 3]
    assert tuple(told) == run.levels
    assert all(level.errors == 0 and level.tokens_per_second > 0 and level.first_token > 0 for level in run.levels)
    assert len(asked) == 1 + 2 * (1 + 2 + 3)
    questions = [request["messages"][0]["content"] for request in asked]
    assert len({question[:20] for question in questions}) == len(questions)
    assert [request["max_tokens"] for request in asked] == [8] + [ANSWER_TOKENS] * (len(asked) - 1)


def test_what_does_not_answer_is_an_error() -> None:
    with pytest.raises(DiagnosticError) as caught:
        bench("fast", "m", 2, lambda _: StreamedAnswer(error="401: no key"), told=lambda _: None, host="box")

    assert "401: no key" in str(next(iter(caught.value.diagnostics)).detail)


@pytest.mark.parametrize(("most", "expected"), [(1, [1]), (2, [1, 2]), (8, [1, 2, 4, 8]), (10, [1, 2, 4, 8, 10])])
def test_levels_double(most: int, expected: list[int]) -> None:
    assert list(steps(most)) == expected


@pytest.mark.parametrize(
    ("rates", "expected"), [([10, 19, 35, 36], 4), ([10, 10.5], 1), ([10, 5, 90], 1), ([10, 20, 40, 80], 8)]
)
def test_it_scales_as_long_as_more_at_once_are_faster(rates: list[float], expected: int) -> None:
    levels = [
        Level(at_once=2**at, first_token=0, tokens_per_second=rate, per_request=1) for at, rate in enumerate(rates)
    ]

    assert scales_to(levels) == expected


def run_of(tier: str, rate: float, when: str) -> Bench:
    level = Level(at_once=1, first_token=0.1, tokens_per_second=rate, per_request=rate)
    return Bench(time=when, tier=tier, model="m", prompt_words=1, answer_tokens=1, levels=(level,), scales_to=1)


def test_runs_are_lines_beside_the_inventory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inventory = tmp_path / "hosts" / "box.toml"
    inventory.parent.mkdir()
    assert last_of(inventory, "fast") is None
    for tier, rate, when in (("fast", 10.0, "2026-01-01"), ("fast", 20.0, "2026-01-02"), ("slow", 1.0, "2026-01-03")):
        keep(inventory, run_of(tier, rate, when))

    assert history_file(inventory) == tmp_path / "hosts" / "box.bench.jsonl"
    assert len(history_file(inventory).read_text().splitlines()) == 3
    last = last_of(inventory, "fast")
    assert last == run_of("fast", 20.0, "2026-01-02")
    show_result(run_of("fast", 25.0, "2026-01-04"), last, history_file(inventory))
    assert "since 2026-01-02: 1 at once +25% tokens/s\n" in capsys.readouterr().out

    history_file(inventory).write_text("{}\n")
    with pytest.raises(DiagnosticError):
        last_of(inventory, "fast")
