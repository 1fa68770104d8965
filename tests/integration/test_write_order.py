"""A tree on its way to another one: real Compose accepts every root file of it after each single step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from compose_cli import compose_config
from running import EXPERIMENT, INVENTORY, ROUTER, SECOND_TIER, fleet, tree

from anvil_gen.deploy.contained_folder import ContainedFolder
from anvil_gen.deploy.deploy_tree import DeployTree
from anvil_gen.deploy.pipeline import Generator, write
from anvil_gen.resolve.host import Sources

TWO = INVENTORY + SECOND_TIER
HUB = '\n[hfcache]\nvolume = "{}"\n'.format
BOTH_FROM_HUB = TWO.replace('path = "gpt-oss-20b"', 'repo = "a/b"').replace('path = "qwen"', 'repo = "a/c"')
MODE = '[modes.night]\ntiers = ["heavy"]\n'
UI = '[services.ui]\nimage = "ui"\ndepends_on = ["{}"]\n'.format
NAMED = '[host]\nproject = "{}"\n'.format
PLACED = """
[host]
project_directory = ".."
[defaults]
mounts."/x" = "x"
"""
SWAPPED = TWO.replace("[tiers.fast]", '[tiers.fast]\nservice = "heavy"').replace(
    "[tiers.heavy]", '[tiers.heavy]\nservice = "fast"'
)
RENAMED = INVENTORY.replace("[tiers.fast]", "[tiers.quick]")
SAME_CONTAINER = [text.replace("port = 30001", 'port = 30001\ncontainer_name = "one"') for text in (INVENTORY, RENAMED)]

TRANSITIONS = {
    "a tier more": (INVENTORY, TWO),
    "a tier less": (TWO, INVENTORY),
    "a renamed tier": (INVENTORY, RENAMED),
    "a renamed tier with the same container name": (SAME_CONTAINER[0], SAME_CONTAINER[1]),
    "a renamed tier that another service needs": (INVENTORY + UI("fast"), RENAMED + UI("quick")),
    "tiers that swap their services": (TWO, SWAPPED),
    "another volume shared by two tiers": (BOTH_FROM_HUB + HUB("one"), BOTH_FROM_HUB + HUB("two")),
    "and a mode more": (BOTH_FROM_HUB + HUB("one"), BOTH_FROM_HUB + HUB("two") + MODE),
    "and a mode less": (BOTH_FROM_HUB + HUB("one") + MODE, BOTH_FROM_HUB + HUB("two")),
    "in each mode": (BOTH_FROM_HUB + HUB("one") + MODE, BOTH_FROM_HUB + HUB("two") + MODE),
    "another project": (TWO + ROUTER, TWO + ROUTER + NAMED("other")),
    "a router and a slot more": (TWO, TWO + ROUTER + EXPERIMENT),
    "a router and a slot less": (TWO + ROUTER + EXPERIMENT, TWO),
    "a folder of relative values": (BOTH_FROM_HUB + HUB("one"), BOTH_FROM_HUB + HUB("two") + PLACED),
    "and another one": (TWO + UI("fast") + PLACED, TWO + UI("heavy") + PLACED.replace("..", ".")),
    "and none": (BOTH_FROM_HUB + HUB("one") + PLACED, BOTH_FROM_HUB + HUB("two") + MODE),
    "all at once": (BOTH_FROM_HUB + HUB("one") + ROUTER + MODE, RENAMED + UI("quick") + NAMED("x") + ROUTER),
}


@contextmanager
def after_each_step(happens: Callable[[], None]) -> Iterator[None]:
    def then(method: Callable[..., None]) -> Callable[..., None]:
        def done(*arguments: object) -> None:
            method(*arguments)
            happens()

        return done

    with pytest.MonkeyPatch.context() as patch:
        for name in ("rename", "remove"):
            patch.setattr(ContainedFolder, name, then(getattr(ContainedFolder, name)))
        yield


def assert_accepted(folder: Path) -> None:
    for path in folder.glob("docker-compose*.yml"):
        compose_config(folder, path.name, env={"ROUTER_TOKEN": "", "MODEL": "m"})


def render(home: Path, text: str) -> None:
    fleet(home, box=text)
    write([Generator().render(home / "hosts" / "box.toml")])


def expected(folder: Path, text: str) -> dict[str, str]:
    fleet(folder, box=text)
    return dict(Generator().render(folder / "hosts" / "box.toml").tree.files)


@pytest.mark.parametrize(("before", "after"), TRANSITIONS.values(), ids=TRANSITIONS)
def test_compose_accepts_each_step(tmp_path: Path, before: str, after: str) -> None:
    box = tmp_path / "deploy" / "box"
    render(tmp_path, before)
    assert_accepted(box)
    steps = count()

    def accepted() -> None:
        next(steps)
        assert_accepted(box)

    with after_each_step(accepted):
        render(tmp_path, after)
    assert next(steps) >= 4
    assert tree(box) == expected(tmp_path, after)


def of_raw(version: str) -> dict[str, str]:
    service = "name: box\nservices: {{{0}: {{image: x, volumes: ['v:/x']}}}}\nvolumes: {{v: {{name: {1}}}}}\n".format
    root = "# of tests\nname: box\ninclude: [tiers/a.yml, tiers/b.yml]\n"
    return {"docker-compose.yml": root, **{f"tiers/{name}.yml": service(name, version) for name in "ab"}}


def test_a_volume_that_two_files_define(tmp_path: Path) -> None:
    """Compose refuses two definitions of one volume: neither file can be the first to change."""

    def write_raw(files: dict[str, str]) -> None:
        folder = DeployTree(tmp_path, inventory="hosts/box.toml")
        folder.lock()
        folder.stage(files, folder.compare(files), sources=Sources(own="", shipped=""))
        folder.commit()

    write_raw(of_raw("one"))
    with after_each_step(lambda: assert_accepted(tmp_path)):
        write_raw(of_raw("two"))

    assert tree(tmp_path) == of_raw("two")


class KilledError(Exception):
    """What ends a write in a test."""


def test_a_killed_change_goes_on_to_a_third_tree(tmp_path: Path) -> None:
    """At each step, a write ends; then the inventory changes once more, and Compose accepts each step to there."""
    texts = [BOTH_FROM_HUB + HUB(name) + MODE for name in ("one", "two", "three")]
    last = expected(tmp_path / "last", texts[2])
    for number in count(1):
        home = tmp_path / str(number)
        box = home / "deploy" / "box"
        render(home, texts[0])
        steps = iter(range(number))

        def end(steps: Iterator[int] = steps) -> None:
            if next(steps) == number - 1:  # noqa: B023  called before the next number
                raise KilledError

        try:
            with after_each_step(end):
                render(home, texts[1])
        except KilledError:
            pass
        else:
            break
        assert_accepted(box)
        with after_each_step(lambda box=box: assert_accepted(box)):  # type: ignore[misc]
            render(home, texts[2])
        assert tree(box) == last
    assert number > 8
