"""What a tier mounts, overrides and refers to: files, Compose's own keys, variables, and defaults for all tiers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_cli import compose_config
from inventories import Fault, compared

from anvil_gen.deploy.pipeline import Generator

TIER = '[tiers.tier]\nengine = "vllm"\nmodel = { path = "/m/x" }\n'


def render(folder: Path, text: str) -> dict[str, str]:
    """Render an inventory."""
    (folder / "box.toml").write_text("schema = 1\n" + text, "utf-8")
    return dict(Generator().render(folder / "box.toml").tree.files)


def service_of(files: dict[str, str], path: str = "tiers/tier.yml", name: str = "tier") -> dict[str, Any]:
    """Return a service as the rendered file says it."""
    service: dict[str, Any] = yaml.safe_load(files[path])["services"][name]
    return service


def test_a_file_is_copied_mounted_and_named_by_its_digest(tmp_path: Path) -> None:
    (tmp_path / "chat.jinja").write_text("{{ a }} $X\r\nü\n", "utf-8", newline="")
    text = TIER + 'files."/templates/chat.jinja" = "chat.jinja"\n'
    first = render(tmp_path, text)
    (tmp_path / "chat.jinja").write_text("other", "utf-8")
    second = render(tmp_path, text)

    assert first["tiers/tier.files/templates/chat.jinja"] == "{{ a }} $X\r\nü\n"
    (mount,) = [mount for mount in service_of(first)["volumes"] if mount["target"] == "/templates/chat.jinja"]
    assert (mount["source"], mount["target"], mount["read_only"]) == (
        "./tier.files/templates/chat.jinja",
        "/templates/chat.jinja",
        True,
    )
    label = "anvil-gen.file.templates/chat.jinja"
    assert service_of(first)["labels"][label] != service_of(second)["labels"][label]


def test_an_override_has_the_last_word(tmp_path: Path) -> None:
    override = (
        '[tiers.tier.override]\nmem_limit = "8g"\nrestart = "no"\nports = ["1:2"]\nlogging.options.max-file = "9"\n'
    )
    override += 'volumes = ["data:/data"]\nenvironment.A = "a$B"\nenvironment.C = { env = "C", default = "d" }\n'
    files = render(tmp_path, TIER + override)
    (tmp_path / "tier.yml").write_text(files["tiers/tier.yml"], "utf-8")
    read = compose_config(tmp_path, "tier.yml", env={"B": "taken"})
    service = read["services"]["tier"]

    assert (service["mem_limit"], service["restart"]) == ("8589934592", "no")
    assert [(port["published"], port["target"]) for port in service["ports"]] == [("1", 2)]
    assert service["logging"]["options"] == {"max-file": "9", "max-size": "50m"}
    assert ("data", "/data") in [(mount["source"], mount["target"]) for mount in service["volumes"]]
    assert service["environment"] == {"A": "a$$B", "C": "d"}
    assert "data" in read["volumes"]
    assert files["tiers/tier.yml"].startswith("# Made by anvil-gen from box.toml")


def test_an_override_changes_no_line_that_it_does_not_name(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x", "utf-8")
    text = f'[host]\nplatform = "wsl2"\n{TIER}files."/x" = "x"\n'
    before = render(tmp_path, text)["tiers/tier.yml"].split("\n")
    override = 'override.mem_limit = "8g"\noverride.environment.A = "1"\noverride.labels.x = "y"\n'
    after = render(tmp_path, text + override + 'override.volumes = ["data:/data"]\n')["tiers/tier.yml"].split("\n")
    own = [line for line in after if line not in before]

    assert own == ['      A: "1"', "      - data:/data", '      x: "y"', "    mem_limit: 8g", "  data: {}"]
    assert [line for line in before if "#" in line] == [line for line in after if "#" in line]


def test_a_reference_is_read_by_compose(tmp_path: Path) -> None:
    text = TIER + (
        'image = { env = "IMAGE", default = "vllm/vllm-openai-cpu:v0.11.0" }\n'
        'environment.HF_TOKEN = { env = "HF_TOKEN" }\n'
        'flags.chat-template = { env = "CHAT", default = "none" }\n'
    )
    files = render(tmp_path, text)
    (tmp_path / "tier.yml").write_text(files["tiers/tier.yml"], "utf-8")
    read = [
        compose_config(tmp_path, "tier.yml", env=env)["services"]["tier"] for env in ({}, {"IMAGE": "a:1", "CHAT": "k"})
    ]

    assert [service["image"] for service in read] == ["vllm/vllm-openai-cpu:v0.11.0", "a:1"]
    assert "--chat-template=none" in read[0]["command"]
    assert "--chat-template=k" in read[1]["command"]
    assert "\nHF_TOKEN=\n" in files[".env.example"]
    assert "\n#IMAGE=\n" in files[".env.example"]


def test_defaults_hold_for_every_tier_and_merge(tmp_path: Path) -> None:
    text = '[defaults]\nengine = "vllm"\nrestart = "always"\nenvironment.A = "1"\nenvironment.B = "1"\nflags.seed = 1\n'
    text += '[tiers.one]\nmodel = { path = "/m/x" }\nenvironment.B = "2"\n'
    text += '[tiers.two]\nmodel = { path = "/m/y" }\nport = 9000\nrestart = "no"\nflags.seed = false\n'
    files = render(tmp_path, text)
    one, two = (service_of(files, f"tiers/{name}.yml", name) for name in ("one", "two"))

    assert (one["restart"], two["restart"]) == ("always", "no")
    assert (one["environment"], two["environment"]) == ({"A": "1", "B": "2"}, {"A": "1", "B": "1"})
    assert ("--seed=1" in one["command"], "--seed=1" in two["command"]) == (True, False)


@pytest.mark.parametrize(
    ("cache", "mount"),
    [
        ('volume = "weights"', {"type": "volume", "source": "weights"}),
        ('path = "/srv/hf"', {"type": "bind", "source": "/srv/hf", "bind": {"create_host_path": False}}),
    ],
)
def test_the_hub_cache_is_a_volume_or_a_folder(cache: str, mount: dict[str, Any], tmp_path: Path) -> None:
    text = f'[hfcache]\n{cache}\ntoken_env = "HF_TOKEN"\n{TIER.replace("path", "repo").replace("/m/x", "org/name")}'
    service = service_of(render(tmp_path, text))

    assert service["volumes"][0] == {**mount, "target": "/root/.cache/huggingface"}
    assert service["environment"] == {"HF_TOKEN": None}


def test_the_example_of_variables_names_what_compose_reads(tmp_path: Path) -> None:
    text = '[router]\napi_key_env = "KEY"\n[services.ui]\nimage = { interpolate = "a:$${b}" }\n'
    text += 'environment.X = { env = "UI_X" }\n'
    text += f'{TIER}environment.Y = {{ env = "TIER_Y" }}\noverride.hostname = {{ env = "NAME", default = "n" }}\n'
    example = render(tmp_path, text)[".env.example"]
    names = [line.strip("#=") for line in example.splitlines() if line.endswith("=")]

    assert sorted(names) == ["KEY", "NAME", "TIER_Y", "UI_X"]


def test_an_override_goes_on_top_of_the_own_keys_of_its_tier(tmp_path: Path) -> None:
    own = 'labels = ["a=1", "b=2"]\ncap_add = ["SYS_NICE"]\n'
    text = f'{TIER}{own}override.labels.b = "3"\noverride.cap_add = {{ add = ["IPC_LOCK"] }}\n'
    service = yaml.safe_load(render(tmp_path, text)["tiers/tier.yml"])["services"]["tier"]

    assert service["labels"] == {"a": "1", "b": "3"}
    assert service["cap_add"] == ["SYS_NICE", "IPC_LOCK"]


FAULTS: list[tuple[str, list[Fault]]] = [
    ('files."/a" = ▸"none"\n', [("cannot read the file", 'tiers.tier.files."/a"', "relative to the inventory")]),
    ('files.▸"/a/../b" = "x"\n', [("name that is not allowed", 'tiers.tier.files."/a/../b"', "write it out")]),
    ('▸mmproj = "/m/p"\n', [("not for this engine", "tiers.tier.mmproj", "remove it")]),
    ('task = ▸"speech"\n', [("not for this engine", "tiers.tier.task", 'task = "chat"')]),
    ('environment.▸API_TOKEN = "x"\n', [("secret in the inventory", "tiers.tier.environment.API_TOKEN", "env")]),
]


@pytest.mark.parametrize(("text", "expected"), FAULTS)
def test_a_fault_of_a_tier(text: str, expected: list[Fault], tmp_path: Path) -> None:
    found, wanted = compared("schema = 1\n" + TIER + text, expected, tmp_path)

    assert found == wanted
