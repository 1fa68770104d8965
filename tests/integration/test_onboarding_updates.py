"""`copier update` on real repositories with tags: what it takes over, what it keeps, and what it refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from onboarding import (
    RTX5090,
    TemplateRepository,
    answers_of,
    commit_all,
    copy,
    files,
    git,
    make,
    new_fleet,
)


@pytest.fixture
def versions(tmp_path: Path) -> TemplateRepository:
    """A template that has three versions."""
    made = TemplateRepository(tmp_path / "template")
    made.edit("Makefile", "# The daily commands.", "# The commands of each day.")
    made.edit("hosts/{{ machine }}.toml.jinja", "schema = 1", "schema = 1\n# v0.2.0")
    made.edit("copier.yml", "\nrouter:\n", '\nnew_question:\n  type: str\n  default: "as it was"\n\nrouter:\n')
    made.release("v0.2.0")
    made.edit("README.md.jinja", "# The fleet", "# The fleet of v0.3.0")
    made.edit("Makefile", "help: ## List these targets", "help: ## List all targets")
    (made.folder / "templates/onboard/fleet/NEW.md").write_text("new\n", "utf-8")
    made.release("v0.3.0")
    return made


def pin(fleet: Path, version: str) -> None:
    """Name another version in requirements.txt, and commit all that differs."""
    file = fleet / "requirements.txt"
    file.write_text(re.sub(r"v[0-9.]+#", f"{version}#", file.read_text("utf-8")), "utf-8")
    commit_all(fleet)


def old_fleet(versions: TemplateRepository, folder: Path) -> Path:
    """Lay a fleet down from the first version."""
    done = copy(versions.folder, folder, "--vcs-ref=v0.1.0", gpus=RTX5090)
    assert done.code == 0, done.stderr
    git(folder, "init", "--quiet")
    commit_all(folder)
    return folder


def test_an_update_over_two_versions_keeps_what_was_edited(versions: TemplateRepository, tmp_path: Path) -> None:
    mine = old_fleet(versions, tmp_path / "fleet")
    inventory = (mine / "hosts/box.toml").read_text("utf-8") + "\n# edited\n"
    (mine / "hosts/box.toml").write_text(inventory, "utf-8")
    readme = (mine / "README.md").read_text("utf-8")
    (mine / "README.md").write_text(readme + "\nOur own words.\n", "utf-8")
    pin(mine, "v0.2.0")
    first = make(mine, "update")
    assert first.code == 0, first.stderr
    assert answers_of(mine, "box")["_commit"] == "v0.2.0"
    pin(mine, "v0.3.0")
    pinned = (mine / "requirements.txt").read_text("utf-8")
    second = make(mine, "update")
    after = files(mine)

    assert second.code == 0, second.stderr
    assert after["hosts/box.toml"] == inventory
    assert after["requirements.txt"] == pinned
    assert after["README.md"] == readme.replace("# The fleet", "# The fleet of v0.3.0") + "\nOur own words.\n"
    assert "# The commands of each day." in after["Makefile"]
    assert "## List all targets" in after["Makefile"]
    assert after["NEW.md"] == "new\n"
    answers = answers_of(mine, "box")
    assert (answers["_commit"], answers["new_question"], answers["gpus"]) == ("v0.3.0", "as it was", RTX5090)


def test_machines_of_one_fleet_update_one_after_the_other(versions: TemplateRepository, tmp_path: Path) -> None:
    mine = old_fleet(versions, tmp_path / "fleet")
    assert copy(versions.folder, mine, "--vcs-ref=v0.1.0", machine="second").code == 0
    pin(mine, "v0.3.0")
    for machine in ("box", "second"):
        done = make(mine, "update", f"HOST={machine}")
        assert done.code == 0, done.stderr
        commit_all(mine)

    expected = new_fleet(versions.folder, tmp_path / "new", gpus=RTX5090)
    fresh, after = files(expected), files(mine)
    kept = {"hosts/box.toml", "requirements.txt", ".copier-answers.box.yml"}
    assert {path: after[path] for path in fresh if path not in kept} == {
        path: text for path, text in fresh.items() if path not in kept
    }
    assert [answers_of(mine, machine)["_commit"] for machine in ("box", "second")] == ["v0.3.0", "v0.3.0"]


OLD_ROUTERS = {
    "table": ('[router] # the "engine"\n# engine = 1\nengine\t= "anvil" # engine = 2\n', "engine\t=", "kind\t="),
    "quoted": ("[ 'router' ]\r\n\"engine\" = 'anvil'\r\n", '"engine" =', "kind ="),
    "dotted": ('# router.engine = "x"\nrouter . engine="anvil"\n', ". engine=", ". kind="),
    "inline": ('router = { port = 8100, engine = "anvil", bind = "127.0.0.1" } # é\n', ", engine =", ", kind ="),
}


def test_an_update_renames_keys_of_every_inventory(versions: TemplateRepository, tmp_path: Path) -> None:
    mine = old_fleet(versions, tmp_path / "fleet")
    expected = {}
    for number, (name, (router, old, new)) in enumerate(OLD_ROUTERS.items()):
        tier = f'engine = "vllm", port = {9000 + number}, model = {{ path = "/m/x" }}'
        text = f"schema = 1\ntiers.engine = {{ {tier} }}\n{router}"
        assert text.count(old) == 1
        (mine / f"hosts/{name}.toml").write_bytes(text.encode())
        expected[name] = text.replace(old, new).encode()
    pin(mine, "v0.3.0")
    refused = make(mine, "render")
    updated = make(mine, "update", "HOST=box")
    rendered = make(mine, "render")

    assert (refused.code, refused.stderr.count('write kind = "anvil"')) == (2, len(OLD_ROUTERS))
    assert updated.code == 0, updated.stderr
    assert {name: (mine / f"hosts/{name}.toml").read_bytes() for name in expected} == expected
    assert rendered.code == 0, rendered.stderr
    assert make(mine, "migrate").stdout.count("migrated") == 0


def test_a_conflict_is_told_and_leaves_nothing_half_written(versions: TemplateRepository, tmp_path: Path) -> None:
    mine = old_fleet(versions, tmp_path / "fleet")
    makefile = (mine / "Makefile").read_text("utf-8")
    (mine / "Makefile").write_text(makefile.replace("# The daily commands.", "# Our commands."), "utf-8")
    pin(mine, "v0.3.0")
    done = make(mine, "update")
    after = files(mine)

    assert done.code == 2  # make's own code for a recipe that failed
    assert "merge manually, then `git add`: Makefile" in done.stderr
    assert "# Our commands." in after["Makefile"]
    assert "# The commands of each day." in after["Makefile"]
    assert after["NEW.md"] == "new\n"
    assert answers_of(mine, "box")["_commit"] == "v0.3.0"
    assert [name for name in after if name.endswith((".rej", ".orig"))] == []
    git(mine, "checkout", "--force", "HEAD", "--", ".")
    assert files(mine)["Makefile"] == makefile.replace("# The daily commands.", "# Our commands.")


def test_an_update_that_cannot_be_changes_nothing(versions: TemplateRepository, tmp_path: Path) -> None:
    mine = old_fleet(versions, tmp_path / "fleet")
    versions.edit("copier.yml", '  default: "as it was"\n', "")
    versions.release("v0.4.0")
    pin(mine, "v0.4.0")
    before = files(mine)
    without_answer = make(mine, "update")
    (mine / "README.md").write_text("uncommitted\n", "utf-8")
    uncommitted = make(mine, "update")
    unknown = make(mine, "update", "HOST=nobody")

    assert without_answer.code == uncommitted.code == unknown.code == 2
    assert 'Question "new_question" is required' in without_answer.stderr
    assert "Destination repository is dirty" in uncommitted.stderr
    assert {**files(mine), "README.md": before["README.md"]} == before
