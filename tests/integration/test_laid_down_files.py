"""The files that a fleet repository begins with: what its Makefile, workflow and tools' settings do."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

import pytest
from onboarding import (
    REPOSITORY,
    TemplateRepository,
    commit_all,
    copy,
    copy_here,
    files,
    make,
    new_fleet,
    program,
    run,
)

from anvil_gen.catalog.json_schema import schema_text
from anvil_gen.cli.main import VERBS
from anvil_gen.inventory.lock_file import ImagePin, Lock, ModelPin, lock_text


def test_the_makefile_asks_which_machine(template: TemplateRepository, tmp_path: Path) -> None:
    mine = new_fleet(template.folder, tmp_path / "fleet", preset="cpu-demo")
    copy(template.folder, mine, machine="second", preset="cpu-demo")
    done = make(mine, "up")

    assert done.code == 2
    assert "which host? HOST=... is one of: box second" in done.stderr


def test_the_makefile_runs_verbs_that_there_are(fleet: Path) -> None:
    text = (fleet / "Makefile").read_text("utf-8")
    verbs = set(re.findall(r"^\t\$\(ANVIL_GEN\) (\S+)", text, re.MULTILINE))

    assert verbs <= set(VERBS)
    assert verbs >= {"render", "up", "down", "status", "logs", "doctor", "init"}
    assert make(fleet).stdout.endswith("hosts: box\n")


def test_the_schema_for_editors_is_the_programs(fleet: Path) -> None:
    assert (fleet / "hosts/inventory.schema.json").read_text("utf-8").strip() == schema_text("inventory").strip()


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("vendor.github-workflows", ".github/workflows/render.yml"),
        ("vendor.renovate", "renovate.json"),
    ],
)
def test_a_laid_down_file_is_what_its_reader_expects(schema: str, path: str, fleet: Path) -> None:
    done = run(program("check-jsonschema"), "--builtin-schema", schema, path, cwd=fleet)

    assert done.code == 0, done.stdout


DIGEST, COMMIT = f"sha256:{'0' * 64}", "0123456789abcdef" * 2 + "01234567"
RENOVATE = [  # a file, and what of it is kept up to date, by manager
    (
        "hosts/box.toml",
        f"""
image = "vllm/vllm-openai:v0.11.0"
image = {{ env = "UI_IMAGE", default = "ghcr.io/open-webui/open-webui:v0.6.32" }}
image = "registry.example:5000/a/b:1.2@{DIGEST}"
image = "lmsysorg/sglang"
port = 8000 # "a:b"
model = {{ repo = "org/name", revision = "{COMMIT}" }}
model = {{ repo = "org/other", revision = "main" }}
""",
        {
            ("vllm/vllm-openai", "v0.11.0", None),
            ("ghcr.io/open-webui/open-webui", "v0.6.32", None),
            ("registry.example:5000/a/b", "1.2", DIGEST),
            ("org/name", None, COMMIT),
        },
    ),
    (
        "locks/box.toml",
        lock_text(
            Lock(
                images={"registry.example:5000/a/b:1.2": ImagePin(digest=DIGEST, platforms=("linux/amd64",))},
                models={"org/name": ModelPin(commit=COMMIT), "org/name@v1": ModelPin(commit=COMMIT)},
            ),
            ("The lock",),
            {"org/name": ("Gated.",)},
        ),
        {("registry.example:5000/a/b", "1.2", DIGEST), ("org/name", None, COMMIT)},
    ),
]


@pytest.mark.parametrize(("path", "text", "wanted"), RENOVATE)
def test_renovate_finds_what_can_be_newer(path: str, text: str, wanted: set[tuple[str | None, ...]]) -> None:
    settings = json.loads((REPOSITORY / "templates/onboard/fleet/renovate.json").read_text("utf-8"))
    found = set()
    for manager in settings["customManagers"]:
        (files,), (pattern,) = manager["managerFilePatterns"], manager["matchStrings"]
        if re.search(files.strip("/"), path):
            matches = re.finditer(pattern.replace("(?<", "(?P<"), text)
            found |= {tuple(map(one.groupdict().get, ("depName", "currentValue", "currentDigest"))) for one in matches}

    assert found == wanted


def test_pre_commit_refuses_what_is_not_rendered(template: TemplateRepository, tmp_path: Path) -> None:
    mine = new_fleet(template.folder, tmp_path / "fleet", preset="cpu-demo")
    env = {"ANVIL_GEN": program("anvil-gen"), "PRE_COMMIT_HOME": str(tmp_path / "cache")}
    hooks = [program("pre-commit"), "run", "--all-files"]
    valid = run(program("pre-commit"), "validate-config", cwd=mine, env=env)
    stale = run(*hooks, cwd=mine, env=env)
    assert make(mine, "render").code == 0
    commit_all(mine)
    fresh = run(*hooks, cwd=mine, env=env)

    assert (valid.code, stale.code, fresh.code) == (0, 1, 0), fresh.stdout
    assert "anvil-gen render hosts/box.toml" in stale.stdout


def test_the_pin_stands_in_one_place(fleet: Path) -> None:
    naming = [path for path, text in files(fleet).items() if "v0.1.0" in text]

    assert naming == [".copier-answers.box.yml", "requirements.txt"]


@pytest.mark.parametrize(
    ("requirement", "option"),
    [
        ("anvil-gen @ git+https://git.example/a/anvil-gen.git@v1.2.3", "--vcs-ref=v1.2.3"),
        ("anvil-gen @ git+ssh://git@git.example/a/b.git@abcdef0", "--vcs-ref=abcdef0"),
        ("git+file:///home/me/anvil%20gen@v1.2.3#egg=anvil-gen", "--vcs-ref=v1.2.3"),
        ("anvil-gen==1.2.3", "--vcs-ref=v1.2.3"),
        ("anvil-gen", ""),
    ],
)
def test_an_update_goes_to_the_version_of_the_pin(requirement: str, option: str, fleet: Path, tmp_path: Path) -> None:
    (tmp_path / "hosts").mkdir()
    (tmp_path / "hosts/box.toml").touch()
    (tmp_path / "requirements.txt").write_text(requirement + "\n", "utf-8")
    shown = run("make", "--dry-run", "-f", str(fleet / "Makefile"), "update", "COPIER=copier", cwd=tmp_path).stdout

    (update,) = [line for line in shown.splitlines() if line.startswith("copier update")]
    assert update.rpartition(")")[2].strip() == option


SUDO = """#!/bin/sh
if [ "$1" = tee ]; then cat > "{folder}/$(basename "$2")"; else echo "$*" >> "{folder}/done"; fi
"""


def test_a_machine_follows_the_repository(plain: Path, tmp_path: Path) -> None:
    mine = tmp_path / "50% a&b | m'y \\fleet $(touch PWNED)"
    copy_here(plain, mine, preset="cpu-demo")
    installed = tmp_path / "installed"
    installed.mkdir()
    sudo = tmp_path / "bin/sudo"
    sudo.parent.mkdir()
    sudo.write_text(SUDO.format(folder=installed), "utf-8")
    sudo.chmod(0o755)
    done = run("make", "timer", cwd=mine, env={"PATH": f"{sudo.parent}:{os.environ['PATH']}"})
    service = (installed / "anvil-gen@.service").read_text("utf-8")
    user = run("id", "-un", cwd=tmp_path).stdout.strip()

    assert done.code == 0, done.stderr
    assert f"\nUser={user}\nWorkingDirectory={str(mine).replace('%', '%%')}\n" in service
    (words,) = (line for line in service.splitlines() if "make up" in line)
    command = shlex.split(words.partition("=")[2].replace("%i", "box"))
    shown = run(*command, "--dry-run", "ANVIL_GEN=anvil-gen", cwd=mine)
    assert shown.stdout.splitlines()[-1].split() == ["anvil-gen", "up", "box", "--wait", "--timeout", "1800"]
    assert (installed / "anvil-gen@.timer").read_text("utf-8") == (mine / "systemd/anvil-gen@.timer").read_text("utf-8")
    assert (installed / "done").read_text("utf-8").splitlines()[-1] == "systemctl enable --now anvil-gen@box.timer"
    assert not (mine / "PWNED").exists()


def test_no_target_runs_the_name_of_a_file(plain: Path, tmp_path: Path) -> None:
    mine = tmp_path / "fleet"
    copy_here(plain, mine, preset="cpu-demo")
    for name in ("$(touch${IFS}PWNED)", "`touch${IFS}PWNED`", "a;touch${IFS}PWNED;b", 'x" touch${IFS}PWNED "', "'x"):
        (mine / "hosts" / f"{name}.toml").touch()
    shown = [run("make", target, cwd=mine) for target in ("help", "host")]

    assert [one.code for one in shown] == [0, 0]
    assert "hosts: box\n" in shown[0].stdout
    assert not list(tmp_path.rglob("PWNED"))


def test_the_actions_of_the_workflow_are_pinned() -> None:
    for folder in (REPOSITORY / "templates/onboard/fleet", REPOSITORY):
        for workflow in (folder / ".github/workflows").glob("*.yml"):
            used = re.findall(r"uses: *(\S+)", workflow.read_text("utf-8"))
            assert used
            assert [one for one in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", one)] == []
