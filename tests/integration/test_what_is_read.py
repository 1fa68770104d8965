"""A stranger's repository: what a render reads is the fleet's own text, whatever a file or a link pretends to be."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from running import INVENTORY, anvil_gen, fleet

from anvil_gen.catalog.defaults import shipped_templates
from anvil_gen.text_files import LARGEST

MOUNTED = '[tiers.fast.files]\n"/templates/a.jinja" = "a.jinja"\n'
PLACES = {
    "a file that is mounted": "hosts/a.jinja",
    "an inventory": "hosts/box.toml",
    "an engine's data": "templates/engines/vllm/engine.toml",
    "a template": "templates/compose/tier.yml.j2",
    "what a template includes": "templates/engines/vllm/extra.yml.j2",
    "a log's patterns": "templates/engines/vllm/log.toml",
    "a client's template": "templates/clients/mine.sh.j2",
}
SECRET = "the-secret-of-another-folder"


def leads_out(place: Path) -> None:
    place.symlink_to(os.path.relpath(place_of_secret(place), place.parent))


def leads_out_by_a_folder(place: Path) -> None:
    outside = place_of_secret(place).parent
    place.parent.rmdir()
    (outside / place.name).write_text(SECRET)
    place.parent.symlink_to(outside)


def place_of_secret(place: Path) -> Path:
    home = next(folder for folder in place.parents if folder.name == "home")
    outside = home.parent / "outside" / "secret"
    outside.parent.mkdir(exist_ok=True)
    outside.write_text(SECRET)
    return outside


WAYS: dict[str, Callable[[Path], object]] = {
    "the environment": lambda place: place.symlink_to("/proc/self/environ"),
    "a device": lambda place: place.symlink_to("/dev/zero"),
    "a pipe": os.mkfifo,
    "out of the fleet": leads_out,
    "too large": lambda place: place.write_bytes(b"#" * (LARGEST + 1)),
    "a NUL": lambda place: place.write_bytes(b"# a\0b\n"),
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A fleet that copies a file."""
    home = fleet(tmp_path / "home", box=INVENTORY + MOUNTED)
    (home / "hosts" / "a.jinja").write_text("text\n")
    return home


def codes(home: Path, *arguments: str) -> set[str]:
    """Return the codes of the errors of a run, which shows nothing of what it must not read."""
    done = anvil_gen(*arguments, "--json", cwd=home, env={"SECRET_OF_CI": SECRET})
    assert SECRET not in done.stdout + done.stderr
    assert done.code == 1
    assert not (home / "deploy").exists()
    return {diagnostic["code"] for diagnostic in json.loads(done.stdout)["diagnostics"]}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_only_text_of_the_fleet_is_read(home: Path, place: str, way: Callable[[Path], object]) -> None:
    file = home / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    way(file)

    expected = {"not-valid-toml"} if place == "hosts/box.toml" and file.is_file() and not file.is_symlink() else set()
    too_large = file.stat().st_size > LARGEST
    assert codes(home, "render", "box") == ({"cannot-read-the-file"} if too_large or not expected else expected)


@pytest.mark.parametrize("place", ["templates/engines/vllm/engine.toml", "hosts/more/a.jinja"])
def test_no_folder_leads_out_either(home: Path, place: str) -> None:
    fleet(home, box=INVENTORY + MOUNTED.replace('"a.jinja"', '"more/a.jinja"'))
    (home / "hosts" / "more").mkdir()
    (home / "hosts" / "more" / "a.jinja").write_text("text\n")
    file = home / place
    file.unlink(missing_ok=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    leads_out_by_a_folder(file)

    assert codes(home, "render", "box") == {"cannot-read-the-file"}


def test_a_pipe_among_the_inventories_is_an_error(home: Path) -> None:
    os.mkfifo(home / "hosts" / "other.toml")

    assert codes(home, "render", "--all") == {"cannot-read-the-file"}
    assert codes(home, "render", "other") == {"cannot-read-the-file"}


HIDDEN = {".git/config": f"[http]\n\textraheader = {SECRET}\n", "deploy/box/.env": f"WORD={SECRET}\n", ".env": SECRET}


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("place", ["hosts/a.jinja", "hosts/box.toml", "templates/compose/tier.yml.j2", ""])
def test_nothing_hidden_is_text_of_the_fleet(home: Path, hidden: str, place: str) -> None:
    """CI's token is in `.git/config`, and a host's secrets are in the `.env` of its tree."""
    (home / hidden).parent.mkdir(parents=True, exist_ok=True)
    (home / hidden).write_text(HIDDEN[hidden])
    if place:
        (home / place).parent.mkdir(parents=True, exist_ok=True)
        (home / place).unlink(missing_ok=True)
        (home / place).symlink_to(os.path.relpath(home / hidden, (home / place).parent))
    else:
        fleet(home, box=INVENTORY + MOUNTED.replace('"a.jinja"', f'"../{hidden}"'))
    done = anvil_gen("render", "box", cwd=home)

    assert done.code == 1
    assert "hidden" in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert not (home / "deploy" / "box" / "docker-compose.yml").exists()


@pytest.mark.parametrize("way", ["the environment", "a pipe", "out of the fleet"])
def test_no_hidden_file_is_included(home: Path, way: str) -> None:
    compose = home / "templates" / "compose"
    compose.mkdir(parents=True)
    WAYS[way](compose / ".x.j2")
    shipped = (shipped_templates() / "compose" / "tier.yml.j2").read_text()
    (compose / "tier.yml.j2").write_text(f'{shipped}\n{{% include "compose/.x.j2" %}}\n')

    assert codes(home, "render", "box") == {"template-asks-for-what-is-not-there"}


def test_no_inventory_outside_is_migrated(home: Path) -> None:
    other = home.parent / "other.toml"
    other.write_text(old := f'{INVENTORY}[router]\nengine = "haproxy"\n')
    (home / "hosts" / "box.toml").unlink()
    (home / "hosts" / "box.toml").symlink_to("../../other.toml")
    done = anvil_gen("migrate", cwd=home)

    assert (done.code, other.read_text()) == (1, old)
    assert "leads out of" in done.stderr


def test_links_within_the_fleet_are_followed(home: Path) -> None:
    (home / "shared").mkdir()
    (home / "hosts" / "a.jinja").rename(home / "shared" / "a.jinja")
    (home / "hosts" / "a.jinja").symlink_to("../shared/a.jinja")
    (home / "hosts" / "box.toml").rename(home / "shared" / "box.toml")
    (home / "hosts" / "box.toml").symlink_to("../shared/box.toml")

    assert anvil_gen("render", "box", cwd=home).code == 0
    assert (home / "deploy" / "box" / "tiers" / "fast.files" / "templates" / "a.jinja").read_text() == "text\n"
