"""What a person wrote into a rendered folder: told apart, shown, and overwritten only where they say so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from running import INVENTORY, ROUTER, SECOND_TIER, Result, anvil_gen, fleet, tree

BY_HAND = "file was changed manually"
NOT_OURS = "file was not made by anvil-gen"
OTHERS = "output taken twice"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A rendered fleet of one host, whose inventory has lost a tier since."""
    home = fleet(tmp_path, box=INVENTORY + SECOND_TIER + ROUTER)
    assert anvil_gen("render", "box", cwd=home).code == 0
    return fleet(home, box=INVENTORY + ROUTER)


def told(result: Result) -> list[tuple[str, str]]:
    """Return summary and file of each fault."""
    return [
        (diagnostic["summary"], Path(diagnostic["file"]).name)
        for diagnostic in json.loads(result.stdout)["diagnostics"]
    ]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8", newline="\n")


@pytest.mark.parametrize(
    ("path", "old", "new", "expected"),
    [
        ("docker-compose.yml", "name: box", "name: my-box", [(BY_HAND, "docker-compose.yml")]),
        ("docker-compose.yml", "include:", "include:  # mine", [(BY_HAND, "docker-compose.yml")]),
        ("tiers/heavy.yml", "init: true", "init: false", [(BY_HAND, "heavy.yml")]),  # it would be removed
        ("tiers/heavy.yml", "# Made by anvil-gen", "# Made by me with anvil-gen", [(NOT_OURS, "heavy.yml")]),
        ("docker-compose.yml", "from hosts/box.toml.", "from hosts/other.toml.", [(OTHERS, "box.toml")]),
    ],
)
def test_whose_a_file_is(home: Path, path: str, old: str, new: str, expected: list[tuple[str, str]]) -> None:
    folder = home / "deploy" / "box"
    edit(folder / path, old, new)
    before = tree(folder)
    result = anvil_gen("render", "box", "--json", cwd=home)

    assert told(result) == expected
    assert result.code == 1
    assert tree(folder) == before


def test_the_diff_shows_what_would_be_lost(home: Path) -> None:
    edit(home / "deploy" / "box" / "tiers" / "heavy.yml", "init: true", "init: false")
    result = anvil_gen("render", "box", cwd=home)

    assert "  -    init: false\n" in result.stderr
    assert "\n  to keep it, write what it says into hosts/box.toml\n" in result.stderr
    assert result.stderr.endswith(
        "  and render again; to remove it:\n\n      anvil-gen render hosts/box.toml --force\n\n"
    )


def test_an_edit_that_the_inventory_says_too_is_kept(home: Path) -> None:
    path = home / "deploy" / "box" / "tiers" / "fast.yml"
    edit(path, "65536", "32768")
    edited = path.read_text("utf-8")
    fleet(home, box=INVENTORY.replace("65536", "32768") + ROUTER)

    assert anvil_gen("render", "box", cwd=home).code == 0
    assert path.read_text("utf-8") == edited


MOVED = [
    ("    init: true\n", "    init: true\n    mem_limit: 8g\n", 'override.mem_limit = "8g"'),
    ("    init: true\n", "    mem_limit: '8g'\n    init: true\n", 'override.mem_limit = "8g"'),
    ("    environment:\n", '    environment:\n      A: "1"\n', 'environment.A = "1"'),
    ("    restart: unless-stopped\n", "    restart: always\n", 'restart = "always"'),
    ("out=50\n", 'out=50\n      - --seed=1\n      - "--x=$$y"\n', 'flag_check = false\nflags.seed = 1\nflags.x = "$y"'),
    ("=0.0.0.0\n", "=0.0.0.0\n      - --enforce-eager\n", "flags.enforce-eager = true"),
    ("=65536\n", "=32768\n", "context_length = 32768"),
    ("    init: true\n", "    init: true\n    hostname: ${H:-h}\n", 'override.hostname = { env = "H", default = "h" }'),
]


@pytest.mark.parametrize(("old", "new", "moved"), MOVED)
def test_an_edit_that_was_moved_into_the_inventory_is_none(home: Path, old: str, new: str, moved: str) -> None:
    path = home / "deploy" / "box" / "tiers" / "fast.yml"
    edit(path, old, new)
    refused = anvil_gen("render", "box", cwd=home)
    kept = INVENTORY.replace("context_length = 65536\n", "") if "context" in moved else INVENTORY
    fleet(home, box=kept + moved + "\n" + ROUTER)

    assert (refused.code, BY_HAND in refused.stderr) == (1, True)
    assert anvil_gen("render", "box", cwd=home).code == 0
    assert anvil_gen("render", "box", "--check", cwd=home).code == 0


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("tiers/fast.yml", ", [tiers.fast] (flags as `flags`, other keys as `override`)"),
        ("router/compose.yml", ", [router] (as `override`)"),
        ("router/haproxy.cfg", ""),
        ("docker-compose.yml", ""),
    ],
)
def test_the_message_says_where_it_belongs(home: Path, path: str, where: str) -> None:
    with (home / "deploy" / "box" / path).open("a") as file:
        file.write("x-mine: 1\n")
    stderr = anvil_gen("render", "box", cwd=home).stderr

    assert (
        f"\n  to keep it, write what it says into hosts/box.toml{where}\n  and render again; to overwrite it:\n"
        in stderr
    )


@pytest.mark.parametrize("check", [[], ["--check"]])
def test_no_secret_is_shown(home: Path, check: list[str]) -> None:
    path = home / "deploy" / "box" / "tiers" / "fast.yml"
    secrets = "    environment:\n      HF_TOKEN: hf_abcdef\n      X_API_KEY: ${X}\n"
    edit(path, "    ipc: host\n", f"    ipc: host\n{secrets}    # password = abcdef\n    token: 'abcdef'\n")
    edit(path, "=65536\n", '=65536\n      - --api-key=abcdef\n      - "--tokenizer=kept"\n')
    result = anvil_gen("render", "box", *check, cwd=home)
    printed = result.stdout + result.stderr

    assert "abcdef" not in printed
    assert "-      HF_TOKEN: …\n" in printed
    assert "-      X_API_KEY: ${X}\n" in printed
    assert '--tokenizer=kept"\n' in printed


COMMENTS = [
    ("    init: true\n", "    # mine\n    init: true\n", ["# mine"]),
    ("    init: true\n", "    init: true  # it must\n", ["init: true  # it must"]),
]


@pytest.mark.parametrize(("old", "new", "lost"), COMMENTS)
def test_a_comment_is_not_lost_silently(home: Path, old: str, new: str, lost: list[str]) -> None:
    path = home / "deploy" / "box" / "tiers" / "fast.yml"
    edit(path, old, new)
    before = path.read_text("utf-8")
    result = anvil_gen("render", "box", cwd=home)

    assert (result.code, path.read_text("utf-8")) == (1, before)
    assert (
        "except for comments, which would be lost:\n\n" + "".join(f"      {line}\n" for line in lost) in result.stderr
    )
    assert anvil_gen("render", "box", "--force", cwd=home).code == 0
    assert "mine" not in path.read_text("utf-8")


LIKE = [
    ("init: true", "init: 'true'"),  # text is no boolean
    ("      - serve\n      - /models/gpt-oss-20b\n", "      - /models/gpt-oss-20b\n      - serve\n"),
    ("name: box\n", "name: box\nx-mine: 1\n"),
    ("services:\n", "services: &a\n  b: *a\n"),
]


@pytest.mark.parametrize(("old", "new"), LIKE)
def test_what_only_looks_alike_is_an_edit(home: Path, old: str, new: str) -> None:
    edit(home / "deploy" / "box" / "tiers" / "fast.yml", old, new)

    assert told(anvil_gen("render", "box", "--json", cwd=home)) == [(BY_HAND, "fast.yml")]


def test_the_order_of_a_command_of_its_own_counts(home: Path) -> None:
    tier = '[tiers.own]\nengine = "custom"\nimage = "x"\nport = 1\ncommand = ["--a=1", "--b=2"]\n'
    fleet(home, box=INVENTORY + tier)
    assert anvil_gen("render", "box", cwd=home).code == 0
    edit(
        home / "deploy" / "box" / "tiers" / "own.yml",
        "      - --a=1\n      - --b=2\n",
        "      - --b=2\n      - --a=1\n",
    )

    assert told(anvil_gen("render", "box", "--json", cwd=home)) == [(BY_HAND, "own.yml")]


def test_force_overwrites_and_is_needed_once(home: Path) -> None:
    edit(home / "deploy" / "box" / "tiers" / "heavy.yml", "init: true", "init: false")
    assert anvil_gen("render", "box", "--force", cwd=home).code == 0
    written = tree(home / "deploy" / "box")
    fleet(home, box=INVENTORY + SECOND_TIER + ROUTER)

    assert anvil_gen("render", "box", cwd=home).code == 0
    assert written.keys() < tree(home / "deploy" / "box").keys()


def test_an_edit_taken_back_is_no_edit(home: Path) -> None:
    path = home / "deploy" / "box" / "tiers" / "heavy.yml"
    edit(path, "init: true", "init: false")
    assert anvil_gen("render", "box", cwd=home).code == 1
    edit(path, "init: false", "init: true")

    assert anvil_gen("render", "box", cwd=home).code == 0
    assert not path.exists()


def test_a_file_removed_by_hand_comes_back(home: Path) -> None:
    (home / "deploy" / "box" / "tiers" / "fast.yml").unlink()

    assert anvil_gen("render", "box", cwd=home).code == 0
    assert "tiers/fast.yml" in tree(home / "deploy" / "box")


def test_files_of_a_persons_own_stay(home: Path) -> None:
    folder = home / "deploy" / "box"
    own = {"notes.txt": "mine\n", "tiers/mine.yml": (folder / "tiers" / "heavy.yml").read_text("utf-8"), "x/y/z": ""}
    for path, text in own.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")

    assert anvil_gen("render", "box", "--force", cwd=home).code == 0
    assert own.items() <= tree(folder).items()
