"""What a tier writes as Compose has it: its own keys, words before the flags, weights without the shared cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anvil_gen.deploy.pipeline import Generator
from anvil_gen.diagnostics import DiagnosticError

GENERATOR = Generator()
VLLM = 'engine = "vllm"\nimage = "vllm/vllm-openai:v0.11.2"\ngpus = 1\n'


def rendered(tmp_path: Path, text: str) -> dict[str, Any]:
    plan = GENERATOR.render(tmp_path / "box.toml", output=tmp_path / "tree", text=f"schema = 1\n{text}")
    return {path: data for path, data in plan.tree.data.items() if path.startswith("tiers/")}


def service(tmp_path: Path, text: str) -> dict[str, Any]:
    found = rendered(tmp_path, f'[tiers.a]\n{VLLM}model = {{ repo = "org/m", cache = false }}\n{text}')
    return dict(found["tiers/a.yml"]["services"]["a"])


def test_a_key_of_compose_is_written_as_it_is(tmp_path: Path) -> None:
    found = service(tmp_path, 'ulimits = { memlock = -1 }\nuser = { env = "UID" }\noverride.hostname = "h"\n')

    assert (found["ulimits"], found["user"], found["hostname"]) == ({"memlock": -1}, "${UID}", "h")


def test_what_is_wrong_with_a_key_of_compose_is_reported_at_its_place(tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError) as error:
        service(tmp_path, 'ulimits = ["x"]\n')

    assert [one.address for one in error.value.diagnostics] == ["tiers.a.ulimits"]


def test_defaults_have_keys_of_compose_too(tmp_path: Path) -> None:
    found = rendered(
        tmp_path,
        f'[defaults]\nlabels = {{ team = "x" }}\n[tiers.a]\n{VLLM}model = {{ repo = "org/m", cache = false }}\n'
        'labels = { mine = "y" }\n',
    )

    assert found["tiers/a.yml"]["services"]["a"]["labels"] == {"team": "x", "mine": "y"}


def test_words_stand_before_the_flags(tmp_path: Path) -> None:
    found = service(tmp_path, 'command = ["serve", "--config", { env = "FILE" }, "{model}"]\n')

    assert found["command"][:5] == ["serve", "--config", "${FILE}", "org/m", "--served-model-name=a"]


def test_a_repository_without_the_shared_cache_mounts_nothing(tmp_path: Path) -> None:
    assert "volumes" not in service(tmp_path, "caches = false\n")


def test_a_further_port_may_be_a_variable(tmp_path: Path) -> None:
    found = service(tmp_path, 'ports = [{ interpolate = "${PORT:-9000}:9000" }]\n')

    assert found["ports"][1:] == ["${PORT:-9000}:9000"]


def tiers(first: str, second: str) -> str:
    names = zip("ab", (first, second), strict=True)
    return "".join(
        f'[tiers.{name}]\n{VLLM}model = {{ repo = "org/m", cache = false }}\ncontainer_name = "one"\nport = 9000\n'
        f"container_port = 8000\nprofiles = {profiles}\n"
        for name, profiles in names
    )


def test_services_of_different_profiles_may_have_one_port_and_name(tmp_path: Path) -> None:
    assert len(rendered(tmp_path, tiers('["x"]', '["y"]'))) == 2


@pytest.mark.parametrize("keys", ["scale = 0", "deploy = { replicas = 0 }"])
def test_a_service_without_a_container_claims_nothing(tmp_path: Path, keys: str) -> None:
    other = f'[services.b]\nimage = "x:1"\ncontainer_name = "one"\nports = ["9000:80"]\n{keys}\n'

    assert len(rendered(tmp_path, tiers("[]", "[]").split("[tiers.b]")[0] + other)) == 1


def test_services_of_one_profile_may_not(tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError) as error:
        rendered(tmp_path, tiers('["x"]', '["x", "y"]'))

    assert {one.code for one in error.value.diagnostics} == {"container-name-taken-twice", "port-taken-twice"}
