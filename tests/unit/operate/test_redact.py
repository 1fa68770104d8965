"""What of a service may hold values of variables."""

from __future__ import annotations

from pathlib import Path

import pytest
from running import fleet

from anvil_gen.operate.deployment import open_deployment
from anvil_gen.operate.redact import Redaction, redaction_of

INVENTORY = """schema = 1

[router]
override.labels.who = { env = "WHO" }

[tiers.fast]
engine = "vllm"
port = 30001
model = { repo = "org/name" }
context_length = 65536
environment.HF_TOKEN = { env = "HF_TOKEN" }
flags.api-key = { env = "FAST_KEY" }
flags.headers = ["a", { env = "HEADER" }]
image = { env = "FAST_IMAGE", default = "vllm/vllm-openai-cpu:latest" }

[tiers.plain]
engine = "custom"
image = "busybox:1"
port = 30002

[services.db]
image = "postgres:17"
command = ["postgres", "--port=1", "--many", "-1", { env = "DB_PASSWORD" }, "--secretly", { env = "DB_PASSWORD" }]
labels.login = { env = "DB_PASSWORD" }
healthcheck = { test = ["CMD", "true"] }
"""


@pytest.mark.parametrize(
    ("service", "shown", "hidden"),
    [
        (
            "fast",
            ["image", "command.--max-model-len", "labels.x", "volumes./models"],
            ["environment.HF_TOKEN", "command.--api-key", "command.--headers", "command.argument 1", "command.--gone"],
        ),
        ("plain", ["command.argument 1", "labels.x", "command.--flag"], ["environment.X"]),
        (
            "db",
            ["command.--port", "healthcheck.test", "image"],
            ["command.--secretly", "command.--many", "command.argument 1", "labels.login"],
        ),
        ("router", ["image", "command.argument 1"], ["labels.who", "environment.KEY"]),
        ("unknown", ["labels.x"], ["environment.X"]),
    ],
)
def test_what_is_hidden(
    service: str, shown: list[str], hidden: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(fleet(tmp_path, box=INVENTORY + '\n[hfcache]\nvolume = "hub"\n'))
    found = redaction_of(open_deployment("box", tmp_path).stack, service)

    addresses = [tuple(one.split(".", 1)) for one in (*shown, *hidden)]
    assert [".".join(one) for one in addresses if found.hides(one)] == hidden


def test_by_itself_it_hides_the_environment() -> None:
    assert Redaction().hides(("environment", "A"))
    assert not Redaction().hides(("labels", "a"))
