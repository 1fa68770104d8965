"""Where values come from, and what follows from options."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from places import REPOSITORY

from anvil_gen.deploy.pipeline import generator
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.review.explain import Explainer, Explanation


@cache
def explainer(path: Path) -> Explainer:
    made = generator()
    return Explainer(made.render(path), made)


def explained(address: str, host: str = "lab-quad") -> Explanation:
    return explainer(REPOSITORY / "hosts" / f"{host}.toml").explain(address)


def places(found: Explanation) -> list[tuple[str, str]]:
    """Return each cause: the name of its file, and its key."""
    return [(Path(cause.file).name, cause.key) for cause in found.causes]


FAST = "tiers/chat.yml:services.chat"
CASES = {
    f"{FAST}.command[4]": [
        ("lab-quad.toml", "tiers.chat.context_length"),
        ("engine.toml", "fields.context_length"),
        ("service.yml.j2", ""),
    ],
    f"{FAST}.restart": [("defaults.toml", "tier.restart"), ("service.yml.j2", "")],
    f"{FAST}.ipc": [("engine.toml", "defaults.ipc"), ("service.yml.j2", "")],
    f"{FAST}.environment.TZ": [("lab-quad.toml", "defaults.environment.TZ"), ("service.yml.j2", "")],
    f"{FAST}.environment.HF_TOKEN": [("lab-quad.toml", "hfcache.token_env"), ("service.yml.j2", "")],
    f"{FAST}.init": [("service.yml.j2", "the template's own text")],
    "tiers/coder.yml:services.coder.mem_limit": [("lab-quad.toml", "tiers.coder.override.mem_limit")],
    "tiers/rerank.yml:services.rerank.deploy.resources.reservations.devices[0].device_ids[0]": [
        ("lab-quad.toml", "gpus.d.uuid"),
        ("reservation.yml.j2", ""),
    ],
    "docker-compose.yml:include[1]": [("lab-quad.toml", "tiers.writer"), ("root.yml.j2", "")],
}


@pytest.mark.parametrize("address", CASES)
def test_a_rendered_value(address: str) -> None:
    assert places(explained(address)) == CASES[address]


def test_a_line_of_a_file_is_an_address() -> None:
    text = (REPOSITORY / "examples/lab-quad/tiers/chat.yml").read_text("utf-8").split("\n")
    line = next(at for at, one in enumerate(text, 1) if "--max-model-len" in one)

    assert explained(f"tiers/chat.yml:{line}").address == f"{FAST}.command[4]"
    assert explained("router/haproxy.cfg:5").value == "    log stdout len 8192 format raw daemon"


def test_a_quirk_brings_its_reason() -> None:
    found = explained("tiers/fast.yml:services.fast.environment.VLLM_USE_V2_MODEL_RUNNER", "fakoli-dark")

    assert places(found)[0] == ("engine.toml", "quirks[0].environment.VLLM_USE_V2_MODEL_RUNNER")
    assert "does not start under WSL2" in found.causes[0].why


def test_a_number_that_follows_from_a_list_has_its_line() -> None:
    found = explained(f"{FAST}.command[3]")

    assert found.value == "--tensor-parallel-size=2"
    assert places(found)[:2] == [("lab-quad.toml", "tiers.chat.gpus[0]"), ("engine.toml", "fields.tensor_parallel")]


def test_an_option_of_the_inventory() -> None:
    found = explained("chat.context_length")
    assert (found.address, found.value) == ("tiers.chat.context_length", 65536)
    assert places(found) == [("lab-quad.toml", "tiers.chat.context_length")]
    assert f"{FAST}.command[4]" in found.reaches
    assert "router/models.json:data[0].max_model_len" in found.reaches

    default = explained("chat.restart")
    assert places(default) == [("defaults.toml", "tier.restart")]
    assert "after a crash" in default.causes[0].why
    assert default.reaches == (f"{FAST}.restart",)


LOCKED = """schema = 1

[hfcache]
volume = "cache"

[tiers.one]
engine = "tei"
model = { repo = "BAAI/bge-m3" }
task = "embedding"
image = "example.org/tei:1"
port = 9000

[router]
api_key_env = "BOX_KEY"
hosts = ["other"]
"""
OTHER = """schema = 1

[host]
address = "192.0.2.7"

[hfcache]
volume = "cache"

[tiers.two]
engine = "tei"
model = { repo = "BAAI/bge-m3" }
task = "embedding"
port = 9004

[router]
port = 8100
bind = "0.0.0.0"
api_key_env = { box = "OTHER_KEY" }
"""
LOCK = f'lock = 1\n\n[images."example.org/tei:1"]\ndigest = "sha256:{"ab" * 32}"\n'


def test_a_lock_and_another_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in {"hosts/box.toml": LOCKED, "hosts/other.toml": OTHER, "locks/box.toml": LOCK}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    known = explainer(tmp_path / "hosts/box.toml")

    image = known.explain("tiers/one.yml:services.one.image")
    assert ("box.toml", 'images."example.org/tei:1".digest') in places(image)
    assert {cause.line for cause in image.causes if cause.file == "locks/box.toml"} == {4}
    lines = known.plan.tree.files["router/haproxy.cfg"].split("\n")
    at = next(at for at, line in enumerate(lines, 1) if "192.0.2.7" in line)
    assert ("other.toml", "host.address") in places(known.explain(f"router/haproxy.cfg:{at}"))


@pytest.mark.parametrize(
    "address",
    ["tiers/chat.yml:services.chat.comand", "tiers/nobody.yml:name", "chat.colour", "", "tiers/chat.yml:", "[x"],
)
def test_what_there_is_not(address: str) -> None:
    with pytest.raises(DiagnosticError) as error:
        explained(address)

    assert [one.code for one in error.value.diagnostics] == ["unknown-address"]
