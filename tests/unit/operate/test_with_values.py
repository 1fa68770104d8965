"""What a host's variables make of what its containers are found by."""

from __future__ import annotations

from pathlib import Path

import pytest
from inventories import UUID_A, UUID_B
from running import fleet

from anvil_gen.operate.deployment import open_deployment
from anvil_gen.operate.redact import redaction_of

INVENTORY = f"""schema = 1
[gpus.one]
uuid = {{ env = "CARD", default = "{UUID_A}" }}
[router]
port = {{ env = "DOOR", default = 8000 }}
[hfcache]
volume = "hub"
[tiers.fast]
engine = "vllm"
gpus = ["one"]
port = {{ env = "FAST_PORT", default = 8001 }}
bind = {{ env = "BIND", default = "127.0.0.1" }}
container_name = {{ interpolate = "${{STACK:-lab}}-fast" }}
model = {{ repo = "org/name" }}
flags.seed = 7
extra_arguments = {{ env = "EXTRA_ARGS" }}
"""


@pytest.mark.parametrize(
    ("env", "uuid", "fast", "door", "name"),
    [
        ("", UUID_A, "127.0.0.1:8001:8001", "127.0.0.1:8000:8000", "lab-fast"),
        (
            f"CARD={UUID_B}\nFAST_PORT=9001\nBIND=192.0.2.7\nSTACK=s\nDOOR=9000\n",
            UUID_B,
            "192.0.2.7:9001:8001",
            "127.0.0.1:9000:8000",
            "s-fast",
        ),
    ],
)
def test_containers_are_found_by_the_values_of_the_host(  # noqa: PLR0917
    env: str, uuid: str, fast: str, door: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(fleet(tmp_path, box=INVENTORY))
    for variable in ("CARD", "FAST_PORT", "BIND", "STACK", "DOOR"):
        monkeypatch.delenv(variable, raising=False)
    tree = tmp_path / "deploy" / "box"
    tree.mkdir(parents=True)
    (tree / ".env").write_text(env, "utf-8")
    deployment = open_deployment("box", tmp_path)
    [tier], router = deployment.stack.tiers, deployment.stack.modes[0].router
    assert router is not None

    assert [gpu.uuid for gpu in (*deployment.stack.gpus, *tier.gpus)] == [uuid, uuid]
    assert [port.spec for port in (*tier.service.ports, *router.ports)] == [fast, door]
    assert deployment.container_names[0] == name
    assert deployment.mode(None).tiers == (tier,)


def test_what_further_arguments_say_is_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(fleet(tmp_path, box=INVENTORY))
    found = redaction_of(open_deployment("box", tmp_path).stack, "fast")

    assert found.hides(("command", "--api-key"))
    assert not found.hides(("command", "--port"))
