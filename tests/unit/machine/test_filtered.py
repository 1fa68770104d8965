"""Secrets in what another program prints, in one piece or in many."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from anvil_gen.machine.filtered import Filter, filtered


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_pieces(size: int) -> None:
    text = b'a secret-1 b secret-12 "x\\ny" secre secret-\n'
    secrets = Filter(["secret-1", "secret-12", "line\nother"])
    found = b"".join(secrets.pass_on(text[at : at + size]) for at in range(0, len(text), size))
    found += secrets.pass_on(b"", last=True)

    assert found.decode() == text.decode().replace("secret-12", "…").replace("secret-1", "…")


def test_what_cannot_be_a_secret_is_not_kept_back() -> None:
    assert Filter(["secret-1"]).pass_on(b"a line\n") == b"a line\n"


def test_another_process_passes_it_on(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as target:
        with filtered(target.fileno(), ["secret-1"]) as writer:
            os.write(writer, b"a secret")
            os.write(writer, b"-1 b\n")
        assert (tmp_path / "out").read_text() == "a … b\n"
        with filtered(target.fileno(), []) as writer:
            assert writer == target.fileno()
