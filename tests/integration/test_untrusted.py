"""A pull request that nobody has reviewed, rendered with --untrusted: every way out of its repository, one by one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree, rmtree

import pytest
from places import REPOSITORY
from plans import commit, git
from running import INVENTORY, anvil_gen, fleet

SECRET = "words-of-another-7f3a"
OUTSIDE = f'schema = 1\n# {SECRET}\n[tiers.fast]\nengine = "vllm"\nmodel = {{ path = "{SECRET}" }}\nport = 9000\n'
FILES = '[tiers.fast.files]\n"/templates/a.jinja" = {}\n'
PEERS = '[router]\napi_key_env = "KEY"\nhosts = ["other"]\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A repository with one host, rendered and committed; next to it lies what is nobody's business."""
    home = fleet(tmp_path / "home", box=INVENTORY)
    (home / "hosts" / "a.jinja").write_text("text\n")
    (home / "requirements.txt").write_text("anvil-gen==0.1.0\n")
    assert anvil_gen("render", "box", cwd=home).code == 0
    (home / ".gitignore").write_text(".anvil-gen/\n")
    git(home, "init", "-q", "-b", "main")
    commit(home)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "box.toml").write_text(OUTSIDE)
    (outside / "a.jinja").write_text(SECRET)
    (outside / "requirements.txt").write_text(f"anvil-gen=={SECRET}\n")
    lock = f'lock = 1\n[images."vllm/vllm-openai:v0.33.0"]\ndigest = "{SECRET}"\n'
    (outside / "lock.toml").write_text(lock)
    return home


def link(home: Path, place: str, target: str) -> None:
    file = home / place
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.is_dir():
        rmtree(file)
    file.unlink(missing_ok=True)
    file.symlink_to(home.parent / "outside" / target)


def inventory(home: Path, text: str) -> None:
    (home / "hosts" / "box.toml").write_text(INVENTORY + text)


def own_engine(home: Path) -> None:
    copytree(REPOSITORY / "templates" / "engines" / "custom", home / "templates" / "engines" / "mine")


def other_host(home: Path) -> None:
    inventory(home, PEERS)
    link(home, "hosts/other.toml", "box.toml")


def fleet_above(home: Path) -> None:
    """Take the hosts away, so that those of a folder above are found."""
    rmtree(home / "hosts")
    fleet(home.parent, box=OUTSIDE)


def absolute(home: Path) -> None:
    inventory(home, FILES.format(json.dumps(str(home.parent / "outside" / "a.jinja"))))


def by_a_link(home: Path) -> None:
    inventory(home, FILES.format('"a.jinja"'))
    link(home, "hosts/a.jinja", "a.jinja")


REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "own templates": (own_engine, "own-templates-are-not-trusted"),
    "templates by a link": (lambda home: link(home, "templates", "."), "own-templates-are-not-trusted"),
    "a broken link of templates": (lambda home: link(home, "templates", "no"), "own-templates-are-not-trusted"),
    "an inventory by a link": (lambda home: link(home, "hosts/box.toml", "box.toml"), "cannot-read-the-file"),
    "a folder of inventories by a link": (lambda home: link(home, "hosts", "."), "cannot-read-the-file"),
    "a fleet above": (fleet_above, "not-in-the-repository"),
    "another host by a link": (other_host, "host-cannot-be-used"),
    "an absolute path": (absolute, "cannot-read-the-file"),
    "a way up": (lambda home: inventory(home, FILES.format('"../../outside/a.jinja"')), "cannot-read-the-file"),
    "a file by a link": (by_a_link, "cannot-read-the-file"),
    "a lock by a link": (lambda home: link(home, "locks/box.toml", "lock.toml"), "cannot-read-the-file"),
    "the fleet's lock by a link": (lambda home: link(home, "locks/fleet.toml", "lock.toml"), "cannot-read-the-file"),
    "an output elsewhere": (
        lambda home: inventory(home, '[host]\noutput = "../../outside/deploy"\n'),
        "not-a-folder-for-the-tree",
    ),
}
VERBS = (("render", "box", "--json"), ("plan", "box", "--against", "HEAD", "--format", "json"))


@pytest.mark.parametrize("way", REFUSED)
def test_refused(home: Path, way: str) -> None:
    attack, code = REFUSED[way]
    attack(home)
    for verb in VERBS:
        found = anvil_gen(*verb, "--untrusted", cwd=home)

        assert found.code == 1, found.stdout
        assert code in {one["code"] for one in json.loads(found.stdout)["diagnostics"]}
        assert SECRET not in found.stdout + found.stderr


def compose_files(home: Path) -> None:
    """Name files that Compose reads when it runs, and a render never."""
    outside = json.dumps(str(home.parent / "outside" / "a.jinja"))
    inventory(home, f"env_file = [{outside}]\n[tiers.fast.override]\nlabel_file = {outside}\n")


NOT_READ: dict[str, Callable[[Path], None]] = {
    "a rendered file by a link": lambda home: link(home, "deploy/box/tiers/fast.yml", "a.jinja"),
    "a rendered folder by a link": lambda home: link(home, "deploy/box/tiers", "."),
    "the state by a link": lambda home: link(home, "deploy/box/.anvil-gen", "."),
    "an entry of the state by a link": lambda home: link(home, "deploy/box/.anvil-gen/state.json", "a.jinja"),
    "a deploy tree by a link": lambda home: link(home, "deploy/box", "."),
    "the version's pin by a link": lambda home: link(home, "requirements.txt", "requirements.txt"),
    "files that Compose includes": compose_files,
}


NOT_WRITTEN = ("deploy", "deploy/box", "deploy/box/tiers", "deploy/box/tiers/fast.yml", "deploy/box/.anvil-gen")


@pytest.mark.parametrize("place", NOT_WRITTEN)
def test_not_written(home: Path, place: str) -> None:
    inventory(home, "max_sequences = 4\n")
    link(home, place, "a.jinja" if place.endswith(".yml") else ".")
    outside = home.parent / "outside"
    before = {path: path.read_bytes() for path in outside.rglob("*") if path.is_file()}
    found = anvil_gen("render", "box", "--untrusted", "--force", cwd=home)

    assert SECRET not in found.stdout + found.stderr
    assert {path: path.read_bytes() for path in outside.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("way", NOT_READ)
def test_not_read(home: Path, way: str) -> None:
    NOT_READ[way](home)
    for verb in (("render", "box", "--check"), ("plan", "box"), ("plan", "box", "--against", "HEAD")):
        found = anvil_gen(*verb, "--untrusted", cwd=home)
        assert SECRET not in found.stdout + found.stderr


def test_a_tree_of_git_has_no_links(home: Path) -> None:
    inventory(home, FILES.format('"a.jinja"'))
    link(home, "hosts/a.jinja", "a.jinja")
    commit(home)
    (home / "hosts" / "a.jinja").unlink()
    (home / "hosts" / "a.jinja").write_text("text\n")
    inventory(home, "max_sequences = 4\n" + FILES.format('"a.jinja"'))
    found = anvil_gen("plan", "box", "--against", "HEAD", "--untrusted", cwd=home)

    assert found.code == 1
    assert "cannot read the file" in found.stderr
    assert SECRET not in found.stdout + found.stderr


def test_templates_of_another_time_are_not_trusted_either(home: Path) -> None:
    own_engine(home)
    commit(home)
    rmtree(home / "templates")
    inventory(home, "\n[host]\negress = 'allow'\n")
    found = anvil_gen("plan", "box", "--against", "HEAD", "--untrusted", cwd=home)

    assert found.code == 1
    assert "own templates are not trusted" in found.stderr


def test_what_stays_inside_is_rendered(home: Path) -> None:
    inventory(home, "max_sequences = 4\n")
    assert anvil_gen("plan", "box", "--untrusted", cwd=home).code == 2
    assert anvil_gen("plan", "box", "--untrusted", "--against", "HEAD", cwd=home).code == 2
    assert anvil_gen("render", "box", "--untrusted", cwd=home).code == 0
    refused = anvil_gen("plan", "box", "--untrusted", "--against", "live", cwd=home)
    assert "cannot be combined" in refused.stderr
