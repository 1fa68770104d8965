"""`copier copy` on real repositories with tags: what is laid down, what a second machine changes, what is refused."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from onboarding import (
    B580,
    PRO6000,
    REPOSITORY,
    RTX5090,
    RX7900,
    TemplateRepository,
    answers_of,
    copy,
    copy_here,
    files,
    macros,
    new_fleet,
    program,
    run,
)
from running import anvil_gen

from anvil_gen.catalog.catalog import Catalog

SHARED = [
    ".editorconfig",
    ".gitattributes",
    ".github/workflows/render.yml",
    ".gitignore",
    ".pre-commit-config.yaml",
    ".taplo.toml",
    ".vscode/extensions.json",
    "Makefile",
    "README.md",
    "hosts/inventory.schema.json",
    "renovate.json",
    "requirements.txt",
    "systemd/anvil-gen@.service",
    "systemd/anvil-gen@.timer",
]


def test_it_lays_down_a_fleet(fleet: Path) -> None:
    assert sorted(files(fleet)) == sorted([*SHARED, ".copier-answers.box.yml", "hosts/box.toml"])


def test_the_first_inventory_is_short(fleet: Path) -> None:
    text = (fleet / "hosts/box.toml").read_text("utf-8")
    inventory = tomllib.loads(text)

    assert len(text.splitlines()) <= 25
    assert (len(inventory["gpus"]), len(inventory["tiers"]), len(inventory["router"]["aliases"])) == (1, 1, 1)


def test_shared_files_know_no_machine(template: TemplateRepository, fleet: Path, tmp_path: Path) -> None:
    other = new_fleet(template.folder, tmp_path / "other", machine="other-one", gpus=PRO6000, preset="cpu-demo")
    mine, theirs = files(fleet), files(other)

    assert {path: theirs[path] for path in SHARED} == {path: mine[path] for path in SHARED}


def test_answers_hold_what_was_asked_and_no_more(fleet: Path) -> None:
    assert sorted(answers_of(fleet, "box")) == [
        *(
            "_commit",
            "_src_path",
            "api_key_env",
            "gpus",
            "hfcache",
            "lan",
            "machine",
            "models",
            "platform",
            "preset",
            "router",
        ),
    ]


def test_no_task_needs_trust() -> None:
    text = (REPOSITORY / "copier.yml").read_text("utf-8")

    assert re.findall(r"^_(tasks|migrations|jinja_extensions)\b", text, re.MULTILINE) == []


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        (f"{RTX5090}\n{PRO6000}\n", ["pro6000", "rtx5090"]),
        ("NVIDIA A100-SXM4-80GB, 81920, GPU-5b1f0c7e-3a52-4d0b-9f27-1c6f2b8e4a01", ["a100"]),
        ("GPU 0: NVIDIA GeForce RTX 4090 (UUID: GPU-5b1f0c7e-3a52-4d0b-9f27-1c6f2b8e4a01)", ["rtx4090"]),
        (
            ";".join(
                f"NVIDIA H100 80GB HBM3, 81559, GPU-5b1f0c7e-3a52-4d0b-9f27-1c6f2b8e4a0{n}, 9.0" for n in range(8)
            ),
            [f"h100-{n}" for n in range(8)],
        ),
        (f"{RX7900};{B580}", ["rx7900xtx", "b580"]),
        ("big, 24GiB, GPU-5b1f0c7e-3a52-4d0b-9f27-1c6f2b8e4a01", ["big"]),
        ("Größe №1, 24 GiB, GPU-5b1f0c7e-3a52-4d0b-9f27-1c6f2b8e4a01", ["gre1"]),
        ("24 GiB, GPU-5b1f0c7e-3a52-4d0b-9f27-1c6f2b8e4a01", ["card"]),
        ("Orin, 64 GiB, 0", ["orin"]),
    ],
)
def test_cards_are_read_as_tools_print_them(plain: Path, lines: str, names: list[str], tmp_path: Path) -> None:
    assert copy_here(plain, tmp_path / "fleet", gpus=lines, preset="cpu-demo") == ""
    gpus = tomllib.loads((tmp_path / "fleet/hosts/box.toml").read_text("utf-8"))["gpus"]

    assert list(gpus) == names
    assert anvil_gen("render", "box", cwd=tmp_path / "fleet").code == 0


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({"machine": "My Box"}, "lower-case letters, digits, `-` and `_`, begins with a letter or digit"),
        ({"machine": "My Box"}, "at most: my-box"),
        ({"machine": "größe"}, "at most: gr-e"),
        ({"machine": "-x"}, "at most: x"),
        ({"machine": "a\nb"}, "at most: a-b"),
        ({"machine": "x" * 64}, "63 characters at"),
        ({"machine": ""}, "lower-case letters"),
        ({"machine": "../x"}, "at most: x"),
        ({"gpus": "rtx5090, 32607 MiB"}, '"rtx5090, 32607 MiB" has no UUID: `nvidia-smi -L` prints it'),
        ({"gpus": "rtx5090, 32607 MiB, GPU-04d3b6e7-5691"}, '"GPU-04d3b6e7-5691" is not the UUID of a GPU'),
        ({"gpus": RTX5090.replace("cf1", "cg1")}, 'c37999440cg1" is not the UUID'),
        ({"gpus": f"{RTX5090}\nagain, {RTX5090.split(', ')[2].replace('d', 'D')}"}, "two lines have the GPU"),
        (
            {"gpus": "x, amd, GPU-1a2b3c4d5e6f7a81; x, amd, GPU-1a2b3c4d5e6f7a82; x-0, amd, GPU-1a2b3c4d5e6f7a83"},
            "two GPUs would have the same name: x-0, x-0, x-1",
        ),
        ({"gpus": "amd, 1 GiB, GPU-123"}, "`rocminfo` prints it"),
        ({"gpus": "x\x1b, 1 GiB"}, 'control characters are not allowed in "x?, 1 GiB"'),
        ({"models": "models"}, "write an absolute path, like /srv/models"),
        ({"models": "~/models"}, "write an absolute path"),
        ({"models": "C:/Users/me/models"}, "this is a Windows path, but the platform is linux"),
        ({"models": "models", "platform": "wsl2"}, "like C:/Users/me/models"),
        ({"models": "/a\nb"}, "control character"),
        ({"hfcache": "x"}, "a volume name has at least two characters of letters"),
        ({"hfcache": "./cache"}, "write an absolute path"),
        ({"hfcache": ""}, "a volume name"),
        ({"preset": "chat"}, "it needs a GPU"),
        ({"preset": "coder-fast", "gpus": RTX5090}, "it needs two GPUs"),
        ({"preset": "own", "own_model": "x"}, "there is no models folder"),
        ({"preset": "own", "own_model": "x", "models": "/m"}, "the CPU runs .gguf files"),
        ({"preset": "own", "own_model": "x", "models": "/m", "gpus": RX7900}, "these GPUs run .gguf files"),
        ({"preset": "own", "own_model": "../x.gguf", "models": "/m"}, "of a .gguf file inside /m"),
        ({"preset": "own", "own_model": "", "models": "/m"}, "of a .gguf file inside /m"),
        ({"preset": "embed-rerank", "router": "anvil"}, "it needs a chat model"),
        ({"api_key_env": "sk-123"}, "a variable's name has capitals"),
        ({"platform": "windows"}, "Invalid choice"),
    ],
)
def test_an_answer_that_cannot_be_is_refused(plain: Path, answers: dict[str, str], told: str, tmp_path: Path) -> None:
    assert told in copy_here(plain, tmp_path / "fleet", **answers)
    assert not (tmp_path / "fleet").exists()


def test_a_second_machine_disturbs_nothing(fleet: Path, template: TemplateRepository, tmp_path: Path) -> None:
    mine = new_fleet(template.folder, tmp_path / "fleet", gpus=RTX5090)
    (mine / "README.md").write_text("Our own words.\n", "utf-8")
    (mine / "hosts/box.toml").write_text("schema = 1\n# mine\n", "utf-8")
    before = files(mine)
    done = copy(template.folder, mine, machine="second", gpus=PRO6000)
    after = files(mine)

    assert done.code == 0, done.stderr
    assert {path: after[path] for path in before} == before
    assert sorted(set(after) - set(before)) == [".copier-answers.second.yml", "hosts/second.toml"]


def test_the_same_machine_again_keeps_its_inventory(template: TemplateRepository, tmp_path: Path) -> None:
    mine = new_fleet(template.folder, tmp_path / "fleet", gpus=RTX5090)
    before = files(mine)
    done = copy(template.folder, mine, "--overwrite", gpus=PRO6000)

    assert done.code == 0
    assert files(mine)["hosts/box.toml"] == before["hosts/box.toml"]


def test_a_folder_with_files_of_its_own_keeps_them(template: TemplateRepository, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    own = {"README.md": "mine\n", "Makefile": "all:\n", ".gitignore": "*.log\n", "src.txt": "x\n"}
    for name, text in own.items():
        (folder / name).write_text(text, "utf-8")
    done = copy(template.folder, folder)

    assert done.code == 0, done.stderr
    assert {name: text for name, text in files(folder).items() if name in own} == own


def test_the_question_offers_the_routers_that_there_are() -> None:
    text = (REPOSITORY / "copier.yml").read_text("utf-8")
    question = yaml.safe_load(text.rpartition("\n---\n")[2])["router"]
    offered = {choice["value"] if isinstance(choice, dict) else choice for choice in question["choices"].values()}

    assert offered == {"default", "none", *Catalog().names("routers")}


@pytest.mark.parametrize(
    ("source", "commit", "line"),
    [
        ("https://git.example/a/anvil-gen.git", "v1.2.3", "anvil-gen @ git+https://git.example/a/anvil-gen.git@v1.2.3"),
        ("gh:someone/anvil-gen", "v1.2.3", "anvil-gen @ git+https://github.com/someone/anvil-gen@v1.2.3"),
        ("git@git.example:a/b.git", "v1.2.3", "anvil-gen @ git+ssh://git@git.example/a/b.git@v1.2.3"),
        ("git+https://git.example/b", "v1.2.3-4-gabcdef0", "anvil-gen @ git+https://git.example/b@abcdef0"),
        ("/home/me/anvil-gen", "v1.2.3", "git+file:///home/me/anvil-gen@v1.2.3#egg=anvil-gen"),
        ("", "v1.2.3", "anvil-gen==1.2.3"),
        ("", "", "anvil-gen"),
    ],
)
def test_the_version_is_pinned_to_that_of_the_template(source: str, commit: str, line: str) -> None:
    assert macros("version.jinja").requirement_of(source, commit).strip() == line


def test_no_inventory_is_rendered_from_it() -> None:
    assert "copier" not in Catalog().shipped_text
    assert [path.name for path in (REPOSITORY / "templates/onboard").rglob("*.j2")] == []


def test_a_relative_source_is_found_again(template: TemplateRepository, tmp_path: Path) -> None:
    relative = os.path.relpath(template.folder, tmp_path)
    done = run(program("copier"), "copy", "--defaults", relative, "fleet", cwd=tmp_path)

    assert done.code == 0, done.stderr
    assert answers_of(tmp_path / "fleet", "box")["_src_path"] == template.folder.as_posix()
    pin = (tmp_path / "fleet/requirements.txt").read_text("utf-8")
    assert pin == f"git+{template.folder.as_uri()}@v0.1.0#egg=anvil-gen\n"


def test_every_question_is_documented() -> None:
    page = (REPOSITORY / "docs/onboarding.md").read_text("utf-8").partition("\n## Questions\n")[2].partition("\n## ")[0]
    documented = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", page, re.MULTILINE))))
    asked = yaml.safe_load((REPOSITORY / "copier.yml").read_text("utf-8").rpartition("\n---\n")[2])
    names = {name for name, question in asked.items() if not name.startswith("_") and question.get("when") is not False}

    assert documented == names | {"router_port", "first_port", "docker_context", "address", "architecture", "host_keys"}
