"""An override in a rendered file, whatever its style: the keys that it names, and no other line."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from anvil_gen.diagnostics import InternalError
from anvil_gen.render.overrides import overridden
from anvil_gen.resolve.model import Declared

FILE = """# mine
name: box

services:
  # of the tier
  tier:
    image: a:1
    # why
    environment:
      # of A
      A: "1"
      B:
    command:
      - |-
        one
        # no comment
    ports: [ "1:1" ]
    labels: {}
    # of the list
    dns:
    - 1.1.1.1

    # the last line
  other:
    image: b
"""

CASES: list[tuple[dict[str, Any], tuple[str, ...], str, str]] = [
    ({"mem_limit": "8g"}, (), "    - 1.1.1.1\n", "    - 1.1.1.1\n    mem_limit: 8g\n"),
    ({"image": "c"}, (), "    image: a:1\n", "    image: c\n"),
    ({"environment": {"A": "2"}}, (), '      A: "1"\n', '      A: "2"\n'),
    ({"environment": {"C": "3"}}, (), "      B:\n", '      B:\n      C: "3"\n'),
    ({"environment": {"B": "3"}}, (), "      B:\n", '      B: "3"\n'),
    ({"command": ["x"]}, (), "      - |-\n        one\n        # no comment\n", "      - x\n"),
    ({"ports": ["2:2"]}, (), '    ports: [ "1:1" ]\n', '    ports:\n      - "2:2"\n'),
    ({"labels": {"x": "z"}}, (), "    labels: {}\n", "    labels:\n      x: z\n"),
    ({"dns": []}, (), "    dns:\n    - 1.1.1.1\n", "    dns: []\n"),
    ({"init": True}, ("v",), "    - 1.1.1.1\n", "    - 1.1.1.1\n    init: true\n"),
]


@pytest.mark.parametrize(("override", "volumes", "old", "new"), CASES)
def test_only_what_it_names(override: dict[str, Any], volumes: tuple[str, ...], old: str, new: str) -> None:
    needed = Declared(volumes={name: {} for name in volumes}, networks={})
    declared = "".join(f"\nvolumes:\n  {name}: {{}}\n" for name in volumes)
    assert FILE.count(old) == 1

    assert overridden(FILE, "x.yml", "tier", override, needed) == FILE.replace(old, new) + declared


STYLES = [
    "name: box\nservices: {tier: {image: a, build: {args: {A: '1'}}}}\nvolumes: {w: {}}\n",
    "{name: box, services: {tier: {image: a, build: {args: {A: '1'}}}}, volumes: {w: {}}}\n",
    "name: box\nservices:\n  tier: &t\n    image: a\n    build: {args: {A: '1'}}\nvolumes:\n  w: {}\n",
    "x: &x\n  args: {A: '1'}\nname: box\nservices:\n  tier:\n    image: a\n    build: {<<: *x}\nvolumes: {w: {}}\n",
]


@pytest.mark.parametrize("text", STYLES)
def test_other_styles(text: str) -> None:
    needed = Declared(volumes={"v": {}, "w": {}}, networks={})
    after = overridden(f"# mine\n{text}", "x.yml", "tier", {"build": {"args": {"B": "2"}}, "mem_limit": "8g"}, needed)
    data = yaml.safe_load(after)

    assert after.startswith("# mine\n")
    assert data["services"]["tier"] == {"image": "a", "build": {"args": {"A": "1", "B": "2"}}, "mem_limit": "8g"}
    assert (data["name"], data["volumes"]) == ("box", {"v": {}, "w": {}})


@pytest.mark.parametrize("text", ["a: [", "name: x\n", "services: []\n", "services:\n  other: {}\n"])
def test_a_file_without_the_service(text: str) -> None:
    with pytest.raises(InternalError):
        overridden(text, "x.yml", "tier", {"a": "b"}, Declared(volumes={}, networks={}))
