"""The kept output of the demo is that of the commands which it runs now."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from types import ModuleType

from places import REPOSITORY

PAGE = (REPOSITORY / "docs" / "demo.md").read_text("utf-8")


def demo() -> ModuleType:
    """Return scripts/demo.py as a module."""
    spec = importlib.util.spec_from_file_location("demo", REPOSITORY / "scripts" / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_shows_the_commands_of_the_script_in_their_order() -> None:
    """To mend it, where Docker can run: scripts/demo --write."""
    commands = [*demo().COMMANDS, demo().DOWN]
    places = [PAGE.find(f"\n$ {command}\n") for command in commands]
    again = PAGE.rfind(f"\n$ {commands[-2]}\n")

    assert -1 not in places
    assert [*sorted(places[:-2]), again, places[-1]] == [*places[:-2], again, max(places)]
    assert PAGE.count("\n$ ") == len(commands)


def test_the_page_shows_an_answer_and_every_time() -> None:
    assert re.search(r"\n\w[^\n]{20,}\n\(\d+\.\d s, first word after \d+\.\d\d s\)\n", PAGE)
    assert len(re.findall(r"^\(\d+\.\d s", PAGE, re.MULTILINE)) == len(demo().COMMANDS) + 1
    assert re.search(r"^# from nothing to the whole answer: \d+ s$", PAGE, re.MULTILINE)


def test_what_is_asked_is_what_the_inventory_serves() -> None:
    inventory = tomllib.loads((REPOSITORY / demo().INVENTORY).read_text("utf-8"))
    router = inventory["router"]

    assert f":{router['port']}/" in demo().ASK
    assert f"${router['api_key_env']}" in demo().ASK
    assert '"model": "chat"' in demo().ASK
    assert "chat" in router["aliases"]


def test_the_page_is_found() -> None:
    assert "(docs/demo.md)" in (REPOSITORY / "README.md").read_text("utf-8")
    assert "\ndemo: " in (REPOSITORY / "Makefile").read_text("utf-8")
