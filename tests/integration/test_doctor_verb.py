"""`doctor` as a process: its exit code, and what there is not."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from running import INVENTORY, anvil_gen, fleet


def test_the_verb_exits_1_where_something_fails_and_never_with_a_traceback(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        inventory = INVENTORY.replace("30001", str(free.getsockname()[1]))
    done = anvil_gen("doctor", "box", "--json", cwd=fleet(tmp_path, box=inventory), env={"PATH": str(tmp_path)})

    assert (done.code, done.stderr) == (1, "")
    failed = {check["what"] for check in json.loads(done.stdout)["checks"] if check["verdict"] == "fail"}
    assert failed == {"docker", "files", "files of fast"}


@pytest.mark.parametrize(("arguments", "part"), [(["boxx"], "unknown host"), (["box", "--mode", "x"], "unknown mode")])
def test_what_there_is_not(arguments: list[str], part: str, tmp_path: Path) -> None:
    done = anvil_gen("doctor", *arguments, cwd=fleet(tmp_path, box=INVENTORY))

    assert (done.code, done.stdout) == (1, "")
    assert part in done.stderr
