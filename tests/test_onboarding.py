"""`copier copy` and `copier update`, on real repositories with tags: what is laid down, what a second machine and an
update change of it, and what is refused."""

from __future__ import annotations

import json
import os
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_cli import compose_config
from copier._main import Worker
from onboarding import (
    B580,
    GTX1080,
    PRO6000,
    REPOSITORY,
    RTX5090,
    RX7900,
    TemplateRepository,
    answers_of,
    commit_all,
    copy,
    copy_here,
    files,
    git,
    make,
    new_fleet,
    plain_template,
    program,
    run,
)
from running import anvil_gen

from anvil_gen.catalog import Catalog
from anvil_gen.cli import VERBS
from anvil_gen.schema import schema_text

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


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> TemplateRepository:
    """This template as version v0.1.0: not to be changed."""
    return TemplateRepository(tmp_path_factory.mktemp("template") / "anvil-gen")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This template without versions: not to be changed."""
    return plain_template(tmp_path_factory.mktemp("plain") / "anvil-gen")


@pytest.fixture(scope="module")
def fleet(template: TemplateRepository, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fleet with one machine, `box`: not to be changed."""
    return new_fleet(template.folder, tmp_path_factory.mktemp("fleet") / "my-fleet", gpus=RTX5090)


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


PRESETS = {
    "chat": {"preset": "chat", "gpus": RTX5090},
    "chat-amd": {"preset": "chat", "gpus": RX7900},
    "chat-intel": {"preset": "chat", "gpus": B580},
    "chat-old-card": {"preset": "chat", "gpus": GTX1080},
    "coder-fast": {"preset": "coder-fast", "gpus": f"{RTX5090}\n{PRO6000}"},
    "coder-fast-wsl2": {"preset": "coder-fast", "gpus": f"{RTX5090};{PRO6000}", "platform": "wsl2"},
    "embed-rerank": {"preset": "embed-rerank", "gpus": RTX5090},
    "embed-rerank-no-card": {"preset": "embed-rerank"},
    "cpu-demo": {"preset": "cpu-demo"},
    "own-file": {"preset": "own", "models": "/srv/models", "own_model": "a b/c.gguf"},
    "own-folder": {"preset": "own", "models": "/srv/models", "own_model": "qwen", "gpus": RTX5090},
    "windows": {"preset": "own", "platform": "wsl2", "models": "C:\\Users\\Zoë\\models", "own_model": "x.gguf"},
    "cache-folder": {"preset": "chat", "gpus": RTX5090, "hfcache": "/srv/hugging face"},
    "no-router": {"preset": "cpu-demo", "router": "none"},
    "no-key": {"preset": "cpu-demo", "api_key_env": ""},
    **{f"router-{name}": {"preset": "cpu-demo", "router": name} for name in Catalog().names("routers")},
}


@pytest.mark.parametrize("name", PRESETS)
def test_each_preset_renders_and_compose_accepts_it(plain: Path, name: str, tmp_path: Path) -> None:
    assert copy_here(plain, tmp_path / "fleet", **PRESETS[name]) == ""
    rendered = anvil_gen("render", "--all", cwd=tmp_path / "fleet")

    assert (rendered.code, rendered.stderr) == (0, "")
    model = compose_config(tmp_path / "fleet/deploy/box", env={"ROUTER_TOKEN": "x"})
    inventory = tomllib.loads((tmp_path / "fleet/hosts/box.toml").read_text("utf-8"))
    assert set(model["services"]) == set(inventory["tiers"]) | ({"router"} & set(inventory))
    assert ("router" in inventory) == (name != "no-router")


def test_the_empty_preset_shows_how_a_tier_is_written(plain: Path, tmp_path: Path) -> None:
    copy_here(plain, tmp_path / "fleet", preset="empty", gpus=RTX5090)
    first = anvil_gen("render", "box", cwd=tmp_path / "fleet")
    assert (first.code, first.stderr.partition("\n")[0]) == (0, "warning: no tiers")
    assert not compose_config(tmp_path / "fleet/deploy/box")["services"]

    inventory = tmp_path / "fleet/hosts/box.toml"
    head, sample = inventory.read_text("utf-8").split("# [tiers.chat]")
    inventory.write_text(head + "[tiers.chat]" + sample.replace("\n# ", "\n"), "utf-8")

    assert anvil_gen("render", "box", cwd=tmp_path / "fleet").code == 0
    assert compose_config(tmp_path / "fleet/deploy/box", env={"ROUTER_TOKEN": "x"})


def macros(name: str) -> Any:
    """Return the macros of a file of templates/onboard, as copier's Jinja has them."""
    with Worker(src_path=str(REPOSITORY / "templates"), quiet=True) as worker:
        return worker.jinja_env.get_template(f"onboard/{name}").module


@cache
def catalog() -> dict[str, Any]:
    """Return the table of models."""
    table: dict[str, Any] = yaml.safe_load((REPOSITORY / "templates/onboard/models.yml").read_text("utf-8"))
    return dict(table["catalog"]["default"])


def needed_mib(kind: str, engine: str, repo: str) -> float:
    """Return the memory of the card that a model of the table needs."""
    costs = catalog()["engines"][engine]
    (model,) = [model for model in catalog()[kind][engine] if model["repo"] == repo]
    cache = model["context"] * model["kv_kib"] / 1024**2
    return float((model["weights_gib"] + cache + costs["overhead_gib"]) / costs["share"] * 1024)


@pytest.mark.parametrize("reserve", [0, 8192])
@pytest.mark.parametrize("vendor", ["nvidia", "amd", "intel"])
def test_the_first_model_that_fits_a_card_is_chosen(vendor: str, reserve: int) -> None:
    presets = macros("presets.jinja")
    for memory in range(1024, 200_000, 1511):
        card = {"name": "x", "vendor": vendor, "memory_mib": memory, "reserve_mib": reserve, "compute_capability": ""}
        said = json.loads(presets.presets_of([card, card], catalog()))
        for kind, tier in (("chat", said["chat"][0]), ("coder", said["coder-fast"][0])):
            engine = "vllm" if vendor == "nvidia" else "llamacpp"
            fitting = [
                model["repo"]
                for model in catalog()[kind][engine]
                if needed_mib(kind, engine, model["repo"]) <= memory - reserve
            ]
            assert fitting[:1] == ([tier["repo"]] if isinstance(tier, dict) else []), (kind, memory)
            if isinstance(tier, dict) and "gpu_memory_utilization" in tier:
                assert tier["gpu_memory_utilization"] * memory <= memory - reserve


@pytest.mark.parametrize(
    ("gib", "models"),
    [
        (6, ["Qwen/Qwen2.5-Coder-3B-Instruct-AWQ", "Qwen/Qwen3-0.6B"]),
        (24, ["Qwen/Qwen2.5-Coder-14B-Instruct-AWQ", "openai/gpt-oss-20b"]),
        (96, ["Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8", "openai/gpt-oss-120b"]),
    ],
)
def test_models_fit_their_cards(plain: Path, gib: int, models: list[str], tmp_path: Path) -> None:
    mib = int(gib * 1024 * 0.99)  # nvidia-smi tells some less than what is sold
    cards = ";".join(f"x, {mib} MiB, GPU-5b1f0c7e-3a52-4d0b-9f27-1c6f2b8e4a0{number}" for number in range(2))
    assert copy_here(plain, tmp_path / "fleet", gpus=cards) == ""
    tiers = tomllib.loads((tmp_path / "fleet/hosts/box.toml").read_text("utf-8"))["tiers"]

    assert [tier["model"]["repo"] for tier in tiers.values()] == models


def test_better_models_stand_first() -> None:
    for kind in ("chat", "coder"):
        for engine, models in catalog()[kind].items():
            needs = [needed_mib(kind, engine, model["repo"]) for model in models]
            assert needs == sorted(needs, reverse=True), (kind, engine)


def test_a_card_without_memory_gets_no_model(plain: Path, tmp_path: Path) -> None:
    line = "NVIDIA GB10, [N/A], GPU-d0f446cf-1771-414c-e116-a39138798a8c, 12.1"
    refused = copy_here(plain, tmp_path / "refused", gpus=line, preset="chat")

    assert "the memory of gb10 is not known: add it to its line, like 24576 MiB" in refused
    assert not (tmp_path / "refused").exists()
    assert copy_here(plain, tmp_path / "fleet", gpus=line) == ""
    assert "gpus = " not in (tmp_path / "fleet/hosts/box.toml").read_text("utf-8")


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
        ({"gpus": "rtx5090, 32607 MiB, GPU-04d3b6e7-5691"}, '"GPU-04d3b6e7-5691" is no UUID of a card'),
        ({"gpus": RTX5090.replace("cf1", "cg1")}, 'c37999440cg1" is no UUID'),
        ({"gpus": f"{RTX5090}\nagain, {RTX5090.split(', ')[2].replace('d', 'D')}"}, "two lines have the card"),
        (
            {"gpus": "x, amd, GPU-1a2b3c4d5e6f7a81; x, amd, GPU-1a2b3c4d5e6f7a82; x-0, amd, GPU-1a2b3c4d5e6f7a83"},
            "two cards would have one name: x-0, x-0, x-1",
        ),
        ({"gpus": "amd, 1 GiB, GPU-123"}, "`rocminfo` prints it"),
        ({"gpus": "x\x1b, 1 GiB"}, 'a control character has no place in "x?, 1 GiB"'),
        ({"models": "models"}, "write an absolute path, like /srv/models"),
        ({"models": "~/models"}, "write an absolute path"),
        ({"models": "C:/Users/me/models"}, "that is a path of Windows, and the platform is linux"),
        ({"models": "models", "platform": "wsl2"}, "like C:/Users/me/models"),
        ({"models": "/a\nb"}, "control character"),
        ({"hfcache": "x"}, "the name of a volume has at least two of letters"),
        ({"hfcache": "./cache"}, "write an absolute path"),
        ({"hfcache": ""}, "the name of a volume"),
        ({"preset": "chat"}, "it needs a card"),
        ({"preset": "coder-fast", "gpus": RTX5090}, "it needs two cards"),
        ({"preset": "own", "own_model": "x"}, "there is no models folder"),
        ({"preset": "own", "own_model": "x", "models": "/m"}, "the processor runs .gguf files"),
        ({"preset": "own", "own_model": "x", "models": "/m", "gpus": RX7900}, "these cards run .gguf files"),
        ({"preset": "own", "own_model": "../x.gguf", "models": "/m"}, "of a .gguf file inside /m"),
        ({"preset": "own", "models": "/m"}, "of a .gguf file inside /m"),
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


@pytest.fixture
def versions(tmp_path: Path) -> TemplateRepository:
    """A template that has three versions."""
    made = TemplateRepository(tmp_path / "template")
    made.edit("Makefile", "# The daily verbs.", "# The verbs of each day.")
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
    assert "# The verbs of each day." in after["Makefile"]
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


def test_a_conflict_is_told_and_leaves_nothing_half_written(versions: TemplateRepository, tmp_path: Path) -> None:
    mine = old_fleet(versions, tmp_path / "fleet")
    makefile = (mine / "Makefile").read_text("utf-8")
    (mine / "Makefile").write_text(makefile.replace("# The daily verbs.", "# Our verbs."), "utf-8")
    pin(mine, "v0.3.0")
    done = make(mine, "update")
    after = files(mine)

    assert done.code == 2  # make's own code for a recipe that failed
    assert "to be merged by hand, then `git add`: Makefile" in done.stderr
    assert "# Our verbs." in after["Makefile"]
    assert "# The verbs of each day." in after["Makefile"]
    assert after["NEW.md"] == "new\n"
    assert answers_of(mine, "box")["_commit"] == "v0.3.0"
    assert [name for name in after if name.endswith((".rej", ".orig"))] == []
    git(mine, "checkout", "--force", "HEAD", "--", ".")
    assert files(mine)["Makefile"] == makefile.replace("# The daily verbs.", "# Our verbs.")


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


def test_the_makefile_asks_which_machine(template: TemplateRepository, tmp_path: Path) -> None:
    mine = new_fleet(template.folder, tmp_path / "fleet", preset="cpu-demo")
    copy(template.folder, mine, machine="second", preset="cpu-demo")
    done = make(mine, "up")

    assert done.code == 2
    assert "which machine? HOST=... is one of: box second" in done.stderr


def test_the_makefile_runs_verbs_that_there_are(fleet: Path) -> None:
    text = (fleet / "Makefile").read_text("utf-8")
    verbs = set(re.findall(r"^\t\$\(ANVIL_GEN\) (\S+)", text, re.MULTILINE))

    assert verbs <= set(VERBS)
    assert verbs >= {"render", "up", "down", "status", "logs", "doctor", "init"}
    assert make(fleet).stdout.endswith("machines: box\n")


def test_the_schema_for_editors_is_the_programs(fleet: Path) -> None:
    assert (fleet / "hosts/inventory.schema.json").read_text("utf-8").strip() == schema_text().strip()


def test_the_question_offers_the_routers_that_there_are() -> None:
    text = (REPOSITORY / "copier.yml").read_text("utf-8")
    question = yaml.safe_load(text.rpartition("\n---\n")[2])["router"]
    offered = {choice["value"] if isinstance(choice, dict) else choice for choice in question["choices"].values()}

    assert offered == {"default", "none", *Catalog().names("routers")}


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


def test_renovate_finds_the_images_of_an_inventory() -> None:
    settings = json.loads((REPOSITORY / "templates/onboard/fleet/renovate.json").read_text("utf-8"))
    (pattern,) = settings["customManagers"][0]["matchStrings"]
    python = re.compile(pattern.replace("(?<", "(?P<"))
    found = [
        [match.groupdict() for match in python.finditer(line)]
        for line in (
            'image = "vllm/vllm-openai:v0.11.0"',
            'image = { env = "UI_IMAGE", default = "ghcr.io/open-webui/open-webui:v0.6.32" }',
            f'image = "registry.example:5000/a/b:1.2@sha256:{"0" * 64}"',
            'image = "lmsysorg/sglang"',
            'port = 8000 # "a:b"',
        )
    ]

    assert [[(one["depName"], one["currentValue"], one["currentDigest"]) for one in each] for each in found] == [
        [("vllm/vllm-openai", "v0.11.0", None)],
        [("ghcr.io/open-webui/open-webui", "v0.6.32", None)],
        [("registry.example:5000/a/b", "1.2", f"sha256:{'0' * 64}")],
        [],
        [],
    ]


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


def test_the_pin_stands_in_one_place(fleet: Path) -> None:
    naming = [path for path, text in files(fleet).items() if "v0.1.0" in text]

    assert naming == [".copier-answers.box.yml", "requirements.txt"]


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
    mine = tmp_path / "50% a&b | my fleet"
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
    assert "\nExecStart=/usr/bin/make up HOST=%i\n" in service
    assert (installed / "anvil-gen@.timer").read_text("utf-8") == (mine / "systemd/anvil-gen@.timer").read_text("utf-8")
    assert (installed / "done").read_text("utf-8").splitlines()[-1] == "systemctl enable --now anvil-gen@box.timer"


def test_every_question_is_documented() -> None:
    page = (REPOSITORY / "docs/onboarding.md").read_text("utf-8").partition("\n## Questions\n")[2].partition("\n## ")[0]
    documented = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", page, re.MULTILINE))))
    asked = yaml.safe_load((REPOSITORY / "copier.yml").read_text("utf-8").rpartition("\n---\n")[2])
    names = {name for name, question in asked.items() if not name.startswith("_") and question.get("when") is not False}

    assert documented == names | {"router_port", "first_port", "docker_context"}


@pytest.mark.parametrize("preset", ["chat", "coder-fast", "embed-rerank", "own", "cpu-demo", "empty"])
def test_every_preset_is_documented_and_offered(preset: str) -> None:
    page = (REPOSITORY / "docs/onboarding.md").read_text("utf-8").partition("\n## Presets\n")[2].partition("\n## ")[0]
    asked = yaml.safe_load((REPOSITORY / "copier.yml").read_text("utf-8").rpartition("\n---\n")[2])["preset"]
    offered = {choice["value"] if isinstance(choice, dict) else choice for choice in asked["choices"].values()}

    assert f"| `{preset}` |" in page
    assert preset in offered
