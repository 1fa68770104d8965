"""The `.env`: what we read of it is what Compose reads, and whatever is wrong in it, no word of it is shown."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from compose_cli import compose_command
from effort import examples
from hypothesis import given
from hypothesis import strategies as st
from running import INVENTORY, anvil_gen, fleet

from anvil_gen.machine.dotenv import parse

FILE = "services: {a: {image: x, environment: {V: '${V-}', W: '${W-}'}}}\n"
SECRET = "sk-not-to-be-shown"
BROKEN = {
    'TOKEN="sk-not-to-be-shown': "its quotes are not closed",
    "TOKEN='sk-not-to-be-shown": "its quotes are not closed",
    "TOKEN!=sk-not-to-be-shown": "it does not start with a variable's name",
    "sk-not-to-be-shown": "there is no = after the name",
    "=sk-not-to-be-shown": "it does not start with a variable's name",
    "sk-not-to-be-shown x=y": "it does not start with a variable's name",
    "TOKEN='x'sk-not-to-be-shown": "something follows the closing quotes",
    "TOKEN=${sk-not-to-be-shown": "a ${ in it is no variable, or is not closed",
    'TOKEN="${sk not-to-be-shown}"': "a ${ in it is no variable, or is not closed",
    "TOKEN=${NOPE:?sk-not-to-be-shown}": "a ${ in it is no variable, or is not closed",
    "TOKEN=${NOPE:-${X:?sk-not-to-be-shown}}": "a ${ in it is no variable, or is not closed",
    "TOKEN=abc$sknottobeshown": "a $ in it is read as a variable, which is not set",
    "TOKEN=sk\0not-to-be-shown": "it has a NUL character in it",
}


def compose_values(folder: Path, text: str) -> tuple[dict[str, str], str]:
    """Return the values that Compose reads, and what it prints on stderr."""
    (folder / "docker-compose.yml").write_text(FILE)
    (folder / ".env").write_bytes(text.encode("utf-8", "surrogateescape"))
    done = subprocess.run(
        [*compose_command(), "config", "--format", "json"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    values = json.loads(done.stdout)["services"]["a"]["environment"] if done.returncode == 0 else {}
    return {name: value.replace("$$", "$") for name, value in values.items()}, done.stderr


LINES = st.sampled_from(
    [
        *("V=x", "W=1", "V=${W}2", "V = a b # c", 'V="a b" # c', "V='a $W'", "export W=$V", "V: x", "# V=1", "", "\t"),
        *(
            'V="a\nb"',
            "V='a\nb'",
            "V=a'b",
            'V=a"b',
            "V=$$",
            "V=a$",
            "V=a$1",
            'V="\\$W"',
            "V=${W:-d}",
            "V=${W-}",
            "V=\r",
        ),
        *("V=${W:+x}", 'V="${W:-x y}"', "V=#x", "V=x#y", "V= ", "V=\\", "V=a\\", "V='a\\", "W='", 'V="\\"', "W=$V$V"),
        *BROKEN,
    ]
)


@examples(60)
@given(lines=st.lists(LINES, max_size=4), end=st.sampled_from(["\n", "\r\n", ""]))
def test_what_is_accepted_is_what_compose_reads(lines: list[str], end: str, tmp_path: Path) -> None:
    text = end.join(lines) if end else "\n".join(lines)
    file = parse(text, {})
    if file.errors:
        return
    values, printed = compose_values(tmp_path, text)

    assert printed == ""
    escapes = {name for name in ("V", "W") if "\\" in file.values.get(name, "")}  # nobody needs them here
    assert {name: values[name] for name in {"V", "W"} - escapes} == {
        name: file.values.get(name, "").replace("\r\n", "\n") for name in {"V", "W"} - escapes
    }


@pytest.mark.parametrize(("line", "why"), BROKEN.items())
def test_a_line_that_is_wrong(line: str, why: str) -> None:
    file = parse(f"A=1\n\n{line}\n", {})

    assert [(number, reason) for number, reason in file.errors if reason == why][:1] == [(3, why)]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A rendered fleet, and a `docker` that prints what it finds in `.env`, and fails."""
    home = fleet(tmp_path / "home", box=INVENTORY)
    assert anvil_gen("render", "box", cwd=home).code == 0
    programs = tmp_path / "bin"
    programs.mkdir()
    docker = programs / "docker"
    docker.write_text(
        '#!/bin/sh\ncase "$*" in *compose*version*) echo 2.40.0; exit 0;;\n'
        'version*) echo \'{"Client": {"Version": "28.0.0"}, "Server": {"Version": "28.0.0"}}\'; exit 0;;\n'
        "ps*|container*|image*|volume*|network*) exit 0;; info*) echo '{}'; exit 0;; esac\n"
        "cat .env >&2 2>&1; printf %s \"$SECRET_KEY\" | sed 's/./&/3' >&2; echo >&2; exit 1\n"
    )
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return home


VERBS = [
    ["up", "box"],
    ["up", "box", "--wait", "--json"],
    ["down", "box"],
    ["restart", "box"],
    ["logs", "box"],
    ["status", "box"],
    ["status", "box", "--json"],
    ["doctor", "box"],
]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
@pytest.mark.parametrize("line", BROKEN)
def test_no_verb_shows_a_line_that_is_wrong(home: Path, line: str, verb: list[str]) -> None:
    (home / "deploy" / "box" / ".env").write_text(f"A=1\n{line}\n")
    done = anvil_gen(*verb, cwd=home)

    assert done.code == 1
    assert "not-to-be-shown" not in done.stdout + done.stderr
    assert "sknottobeshown" not in done.stdout + done.stderr
    assert "variables cannot be read" in done.stdout + done.stderr
    assert ".env" in done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_what_is_no_file_is_not_read(home: Path, kind: str) -> None:
    place = home / "deploy" / "box" / ".env"
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to("/dev/zero")
    done = anvil_gen("up", "box", cwd=home)

    assert done.code == 1
    assert "variables cannot be read" in done.stderr


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_composes_words_pass_without_secrets(home: Path, verb: list[str]) -> None:
    (home / "deploy" / "box" / ".env").write_text(f"A_TOKEN={SECRET}\nPLAIN=visible\nDSN=https://u:hidden@h/x\n")
    done = anvil_gen(*verb, cwd=home, env={"SECRET_KEY": "of-the-environment"})

    for secret in (SECRET, "hidden", "of-the-environment"):
        assert secret not in done.stdout + done.stderr
    if verb[0] not in ("status", "doctor", "up"):  # which are told of their own checks before
        assert "visible" in done.stderr


def test_nor_on_a_terminal(home: Path) -> None:
    (home / "deploy" / "box" / ".env").write_text(f"A_TOKEN={SECRET}\nPLAIN=visible\n")
    reader, writer = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "anvil_gen", "down", "box"], cwd=home, stdin=writer, stdout=writer, stderr=writer
    )
    os.close(writer)
    shown = b""
    try:
        while piece := os.read(reader, 4096):
            shown += piece
    except OSError:  # the other end is closed
        pass
    os.close(reader)

    assert process.wait() == 1
    assert SECRET.encode() not in shown
    assert b"A_TOKEN=\xe2\x80\xa6\r\nPLAIN=visible\r\n" in shown
