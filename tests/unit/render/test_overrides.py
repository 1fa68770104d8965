"""An override in a rendered file, whatever its style: the keys that it names, and no other line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import yaml
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

from anvil_gen.diagnostics import InternalError
from anvil_gen.render.overrides import overridden
from anvil_gen.resolve.model import Declared
from anvil_gen.resolve.override_merge import REMOVED, Added, merge

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


LAST = """services:
  tier:
    image: a
    environment:
      A: "1"
"""


def test_a_new_key_and_a_new_section_at_one_line() -> None:
    override = {"environment": {"B": "2"}, "volumes": ["data:/data"]}
    needed = Declared(volumes={"data": {}}, networks={})

    assert overridden(LAST, "x.yml", "tier", override, needed) == (
        f'{LAST}      B: "2"\n    volumes:\n      - data:/data\n\nvolumes:\n  data: {{}}\n'
    )


def test_what_it_removes_is_gone_with_its_lines() -> None:
    override = {"ports": REMOVED, "environment": {"A": REMOVED}, "dns": Added(["8.8.8.8"])}
    after = overridden(FILE, "x.yml", "tier", override, Declared(volumes={}, networks={}))

    assert after == FILE.replace('    ports: [ "1:1" ]\n', "").replace('      A: "1"\n', "").replace(
        "    - 1.1.1.1\n", '    - 1.1.1.1\n    - "8.8.8.8"\n'
    )


KEYS = st.sampled_from(
    ["image", "environment", "command", "ports", "labels", "dns", "volumes", "deploy", "A", "B", "x"]
)
SCALARS = st.sampled_from(["a", "1:1", "data:/data", "two\nlines", "#", "", "~"]) | st.integers(0, 9) | st.booleans()
VALUES = st.recursive(
    SCALARS | st.just(REMOVED) | st.lists(SCALARS, max_size=3) | st.builds(Added, st.lists(SCALARS, max_size=2)),
    lambda inner: st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


@examples(150)
@given(override=st.dictionaries(KEYS, VALUES, min_size=1, max_size=4), names=st.sets(st.sampled_from("vw"), max_size=2))
@pytest.mark.parametrize("text", [FILE, LAST, FILE + "volumes:\n  v: {}\n"])
def test_any_override(text: str, override: dict[str, Any], names: set[str]) -> None:
    needed = Declared(volumes={name: {} for name in sorted(names)}, networks={name: {} for name in names})
    after = overridden(text, "x.yml", "tier", override, needed)
    before, data = yaml.safe_load(text), yaml.safe_load(after)
    tier = merge(before["services"]["tier"], override)
    lines = iter(after.split("\n"))

    assert data["services"] == {**before["services"], "tier": tier}
    assert set(data.get("volumes", {})) == names | set(before.get("volumes", {}))
    assert all(line in lines for line in _lines_without(text, override))


def _lines_without(text: str, keys: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a file but for those of keys of its first service; comments above a key are not the key's."""
    key, is_first = "", True
    for line in text.split("\n"):
        found = re.match("    ([a-z]+):", line)
        is_first = is_first and not line.startswith("  other:")
        key = found[1] if found else "" if re.match(" {0,2}[^ ]", line) else key
        if not is_first or key not in keys or line.startswith("    #") or not line:
            yield line
