"""A short load on one tier: how soon it begins to answer, how fast it goes on, and when more at once is no faster."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
from msgspec import Struct

from anvil_gen.deploy.atomic_write import write_file
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, display_path
from anvil_gen.machine.chat_stream import StreamedAnswer

ANSWER_TOKENS = 96
PROMPT_WORDS = 120
_ROUNDS = 2
_GAIN = 1.1
"""What is less than a tenth faster than with half as many at once does not scale any more."""
_WORDS = (
    *("river", "stone", "window", "garden", "letter", "morning", "engine", "paper", "silver", "forest", "bridge"),
    *("candle", "harbour", "music", "winter", "copper", "island", "mirror", "pocket", "ribbon", "shadow", "ticket"),
    *("velvet", "wagon", "yellow", "anchor", "basket", "circle", "desert", "feather", "orchard"),
)

Ask = Callable[[dict[str, Any]], StreamedAnswer]
"""Sends a request with this body."""


class Level(Struct, frozen=True, kw_only=True):
    """So many requests at once: medians of a request's seconds, and the tokens a second of all together."""

    at_once: int
    first_token: float
    tokens_per_second: float
    per_request: float
    errors: int = 0


class Bench(Struct, frozen=True, kw_only=True):
    """One run. ``scales_to`` is how many at once are still faster."""

    time: str
    tier: str
    model: str
    prompt_words: int
    answer_tokens: int
    levels: tuple[Level, ...]
    scales_to: int


def bench(tier: str, model: str, most: int, ask: Ask, *, told: Callable[[Level], None], host: str) -> Bench:
    """Ask a model, first alone, then with twice as many at once, up to ``most``; ``told`` gets each level.

    Raises:
        DiagnosticError: it does not answer at all.
    """
    warm = ask({**_body(model, 0), "max_tokens": 8})  # which may load what the first request needs
    if warm.error:
        commands = f"anvil-gen status {host}\n    anvil-gen logs {host} {tier}"
        remedy = f"see whether it runs, and whether the key is set:\n\n    {commands}"
        raise DiagnosticError([Diagnostic(code="bench-cannot-run", detail=f"{model}: {warm.error}", remedy=remedy)])
    levels: list[Level] = []
    for at_once in steps(most):
        levels.append(_level(model, at_once, ask))
        told(levels[-1])
    return Bench(
        time=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        tier=tier,
        model=model,
        prompt_words=PROMPT_WORDS,
        answer_tokens=ANSWER_TOKENS,
        levels=tuple(levels),
        scales_to=scales_to(levels),
    )


def steps(most: int) -> Iterator[int]:
    """Yield 1, 2, 4 and so on, and ``most`` itself."""
    at_once = 1
    while at_once < most:
        yield at_once
        at_once *= 2
    yield most


def scales_to(levels: Sequence[Level]) -> int:
    """Return how many requests at once are still faster than fewer."""
    best = levels[0]
    for level in levels[1:]:
        if level.tokens_per_second < best.tokens_per_second * _GAIN:
            break
        best = level
    return best.at_once


def _level(model: str, at_once: int, ask: Ask) -> Level:
    numbers = range(at_once * 1000, at_once * 1000 + at_once * _ROUNDS)
    began = time.monotonic()
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        answers = list(pool.map(ask, [_body(model, number) for number in numbers]))
    seconds = time.monotonic() - began
    good = [answer for answer in answers if not answer.error]
    rates = [one.tokens / max(one.seconds - one.first_token, 1e-6) for one in good]
    return Level(
        at_once=at_once,
        first_token=round(median(one.first_token for one in good), 4) if good else 0.0,
        tokens_per_second=round(sum(one.tokens for one in good) / seconds, 2),
        per_request=round(median(rates), 2) if rates else 0.0,
        errors=len(answers) - len(good),
    )


def _body(model: str, number: int) -> dict[str, Any]:
    """Return a request of fixed length, which begins like no other: no cache has seen it."""
    words = [_WORDS[(number * 7 + at * (number % 5 + 1)) % len(_WORDS)] for at in range(PROMPT_WORDS)]
    question = f"List {number}: {' '.join(words)}. Go on with this list, as long as you can."
    return {"model": model, "messages": [{"role": "user", "content": question}], "max_tokens": ANSWER_TOKENS}


def history_file(inventory: Path) -> Path:
    """Return where the runs of a host are kept: beside its inventory, a line each."""
    return inventory.with_name(f"{inventory.name.removesuffix('.toml')}.bench.jsonl")


def last_of(inventory: Path, tier: str) -> Bench | None:
    """Return the last run of a tier; None where there is none.

    Raises:
        DiagnosticError: the file has a line that is none of ours.
    """
    file = history_file(inventory)
    if not file.is_file():
        return None
    try:
        runs = [msgspec.json.decode(line, type=Bench) for line in file.read_bytes().splitlines() if line]
    except msgspec.DecodeError as error:
        detail = f"{display_path(file)}: {error}"
        raise DiagnosticError(
            [Diagnostic(code="bench-cannot-run", detail=detail, remedy="mend or remove the line")]
        ) from None
    return next((run for run in reversed(runs) if run.tier == tier), None)


def keep(inventory: Path, run: Bench) -> Path:
    """Add a run to those that are kept, and return their file.

    Raises:
        DiagnosticError: it cannot be written.
    """
    file = history_file(inventory)
    before = file.read_bytes() if file.is_file() else None
    write_file(file, before, (before or b"") + msgspec.json.encode(run) + b"\n")
    return file
