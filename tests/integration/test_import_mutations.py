"""Mutated sources: whatever a person's file holds, an import answers with an inventory or with errors."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from effort import EFFORT
from places import REPOSITORY

from anvil_gen.deploy.pipeline import Generator
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.importing.run import Request, run_import

SOURCES = [
    path.read_text("utf-8")
    for folder in ("forms", "imports")
    for path in sorted((REPOSITORY / "tests" / folder).glob("*.yml"))
]
RUNS = """docker run -d --gpus '"device=1,2"' -p 8000:8000 -e A=$B -v $(pwd)/m:/m vllm/vllm-openai:v1 --model org/m
podman run -it --mount type=bind,src=/a,dst=/b --ulimit nofile=1:2 img bash -c "a && b"
"""
VALUES = [
    *(
        "",
        "null",
        "true",
        "-1",
        "0",
        "1e999",
        "[]",
        "{}",
        "[[]]",
        "{a: {b: c}}",
        "${X",
        "${X:-",
        "$",
        "$$",
        "${1}",
        "'",
    ),
    *(
        "\x00",
        "\x1b[31m",
        "é\u2028",
        "0777",
        "2024-01-01",
        "!!binary x",
        "!reset null",
        "&a [*a]",
        "*b",
        "<<: 1",
        "a" * 5000,
    ),
    *(".", "..", "/", "~", "~x/y", "C:", "\\\\srv\\x", ":::", "8000:8000:8000:8000", "-", "--", "--x=", "-c", ">", "|"),
    *("no", "on-failure:x", "99999999999999999999", "GPU-", "all", "none", "host", "service:x", "container:y"),
]


def mutated(text: str, chance: random.Random) -> str:
    """Return a text with one to three mutations."""
    for _ in range(chance.randint(1, 3)):
        text = chance.choice(MUTATIONS)(text, chance)
    return text


def without_a_line(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    del lines[chance.randrange(len(lines))]
    return "\n".join(lines)


def with_a_line_twice(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    lines.insert(chance.randrange(len(lines)), chance.choice(lines))
    return "\n".join(lines)


def with_another_value(text: str, chance: random.Random) -> str:
    places = list(re.finditer(r"(?<=[:\-] )\S.*|(?<=[:\[,{] )[^,\]}\n]+", text))
    place = chance.choice(places) if places else None
    return text if place is None else text[: place.start()] + chance.choice(VALUES) + text[place.end() :]


def with_another_key(text: str, chance: random.Random) -> str:
    places = list(re.finditer(r"[\w-]+(?=:)", text))
    keys = [match[0] for match in places]
    place = chance.choice(places) if places else None
    return text if place is None else text[: place.start()] + chance.choice(keys) + text[place.end() :]


def with_another_character(text: str, chance: random.Random) -> str:
    at = chance.randrange(max(1, len(text)))
    return text[:at] + chance.choice("'\"{}[]:,-$&*#\\\n\t \x00é") + text[at + 1 :]


def cut(text: str, chance: random.Random) -> str:
    return text[: chance.randrange(max(1, len(text)))]


def with_another_indent(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    at = chance.randrange(len(lines))
    lines[at] = "  " + lines[at] if chance.random() < 0.5 else lines[at].removeprefix("  ")
    return "\n".join(lines)


MUTATIONS: list[Callable[[str, random.Random], str]] = [
    without_a_line,
    with_a_line_twice,
    with_another_value,
    with_another_value,
    with_another_value,
    with_another_key,
    with_another_character,
    cut,
    with_another_indent,
]


def test_no_mutated_source_ends_in_anything_but_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")  # no Compose
    monkeypatch.chdir(tmp_path)
    made, answered = Generator(), 0
    for number in range(120 if EFFORT == 1 else 10_000):
        chance = random.Random(number)
        text = mutated(chance.choice([*SOURCES, RUNS]), chance)
        (tmp_path / "last.txt").write_text(f"{number}\n{text}", "utf-8", errors="surrogatepass")  # of a failure
        with suppress(DiagnosticError):
            run_import(Request(sources=["-"], text=text, output=tmp_path / "hosts" / "box.toml"), made)
            answered += 1
    assert answered > 10
