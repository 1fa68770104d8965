"""The service of a model server: its command, environment, mounts, ports and health check."""

from __future__ import annotations

from typing import Any

import pytest
from contexts import context_of, server_of
from inventories import UUID_A, UUID_B

from anvil_gen.catalog.health import Health
from anvil_gen.resolve.compose_service import ServiceInputs, build_service, health_check, published
from anvil_gen.resolve.gpu_model import Reservation
from anvil_gen.resolve.model import EnvVar, HealthCheck, Logging, Mount, Port, Service
from anvil_gen.resolve.model_source import Source
from anvil_gen.values import EnvRef, Number, Text, VariableText

GPUS = f"""\
gpus.a = {{ uuid = "{UUID_A}" }}
gpus.b = {{ uuid = "{UUID_B}" }}
"""
PORT = VariableText((EnvRef(name="PORT", default="30002"),))
MOUNT = Mount(source="/srv/m", target="/models/m", read_only=True)
BY_PATH = Source(kind="path", argument="/models/m", revision=None, mount=MOUNT)
BY_REPO = Source(kind="repo", argument="org/name", revision="abc", mount=None)

DRAIN = "--shutdown-timeout=50"  # with the usual grace period of a minute


def service_of(text: str, **changed: Any) -> Service:
    """Return the service of a tier, of which the inputs say little unless they are changed."""
    context = context_of(text)
    server = server_of(context)
    inputs = {
        "service": "one",
        "container_name": "box-one",
        "served_names": ("one",),
        "port": "8001",
        "published_port": "8001",
        "device_ids": tuple(gpu.device_id for gpu in server.gpus),
        "share": None,
        "sources": {"model": BY_PATH},
    }
    return build_service(context, server, ServiceInputs(**{**inputs, **changed}))


def tier(text: str) -> str:
    return f"{GPUS}tiers.one = {{ {text} }}"


@pytest.mark.parametrize(
    ("bind", "number", "specs"),
    [
        ("127.0.0.1", "8001", ["127.0.0.1:8001:80"]),
        ("::1", "8001", ["[::1]:8001:80"]),
        ("all", "8001", ["8001:80"]),
        (False, "8001", []),
    ],
)
def test_a_port_is_published_at_one_address(bind: str | bool, number: str, specs: list[str]) -> None:
    assert [port.spec for port in published(bind, number, "80")] == specs


def test_a_port_may_be_a_variable() -> None:
    assert published("127.0.0.1", PORT, PORT) == (Port(host="127.0.0.1", number=PORT, target=PORT),)


def test_a_health_check_asks_on_its_port() -> None:
    health = Health(path="/up", test=("CMD", "ask", "{port}{path}", "{other}"), interval="7s", timeout="3s", retries=9)

    assert health_check(health, "81", "4m") == HealthCheck(
        test=("CMD", "ask", "81/up", "{other}"), interval="7s", timeout="3s", retries=9, start_period="4m"
    )
    assert health_check(health, PORT, "4m").test[2] == VariableText((*PORT.parts, "/up"))


@pytest.mark.parametrize(
    ("text", "changed", "command"),
    [
        (
            "engine = 'vllm'",
            {},
            ("serve", "/models/m", "--served-model-name=one", "--port=8001", "--host=0.0.0.0", DRAIN),
        ),
        (
            "engine = 'vllm', gpus = ['a']",
            {},
            ("serve", "/models/m", "--served-model-name=one", "--port=8001", "--host=0.0.0.0", DRAIN),
        ),
        # Fields in the engine's order, whatever the inventory's; flags by name after them.
        (
            "engine = 'vllm', flags = { z = 1, a = [1, 'x'], off = false, on = true }, max_sequences = 4, "
            "context_length = 1024, gpus = ['a', 'b']",
            {"share": Number("0.90"), "sources": {"model": BY_REPO}, "served_names": ("one", "two", "three")},
            (
                *("serve", "org/name", "--served-model-name", "one", "two", "three", "--revision=abc"),
                *("--tensor-parallel-size=2", "--max-model-len=1024", "--gpu-memory-utilization=0.90"),
                *("--max-num-seqs=4", "--port=8001", "--host=0.0.0.0", DRAIN, "--a", "1", "x", "--on", "--z=1"),
            ),
        ),
        # A flag of the tier replaces one of the engine in its place, however it is spelled.
        (
            "engine = 'vllm', flags = { host = '::', b_c = 1 }, task = 'embedding'",
            {},
            (
                *("serve", "/models/m", "--served-model-name=one", "--port=8001", "--host=::"),
                *(DRAIN, "--runner=pooling", "--b_c=1"),
            ),
        ),
        (
            "engine = 'llamacpp', flags = { no_webui = false }, gpus = ['a', 'b'], kv_cache_dtype = 'q8_0'",
            {"sources": {"model": Source(kind="file", argument="/models/m.gguf", revision=None, mount=None)}},
            (
                *("--model", "/models/m.gguf", "--alias", "one", "--cache-type-k", "q8_0", "--cache-type-v", "q8_0"),
                *("--port", "8001", "--host", "0.0.0.0", "--jinja", "--n-gpu-layers", "999", "--split-mode", "layer"),
            ),
        ),
        (
            "engine = 'llamacpp', flags.key = { env = 'KEY' }",
            {"sources": {"model": BY_REPO}, "port": PORT},
            (
                *("--hf-repo", "org/name", "--alias", "one", "--port", PORT, "--host", "0.0.0.0", "--jinja"),
                *("--no-webui", "--key", VariableText((EnvRef(name="KEY"),))),
            ),
        ),
        (
            "engine = 'vllm'",
            {
                "sources": {
                    "model": BY_PATH,
                    "lora.x": Source(kind="path", argument="/models/x", revision=None, mount=None),
                }
            },
            (
                *("serve", "/models/m", "--served-model-name=one", "--lora-modules", "x=/models/x", "--enable-lora"),
                *("--port=8001", "--host=0.0.0.0", DRAIN),
            ),
        ),
        ("engine = 'custom', image = 'x:1', port = 1, command = ['run', '$me']", {}, ("run", "$me")),
        ("engine = 'custom', image = 'x:1', port = 1", {}, ()),
        ("engine = 'vlm'", {}, ()),
    ],
)
def test_a_command(text: str, changed: dict[str, Any], command: tuple[Text, ...]) -> None:
    assert service_of(tier(text), **changed).command == command


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("image = 'vllm/vllm-openai:v0.17.1'", None),
        ("image = 'vllm/vllm-openai:v0.18.0'", "50"),
        ("image = 'vllm/vllm-openai:nightly'", "50"),  # counts as the newest
        ("stop_grace_period = '5m'", "290"),
        ("stop_grace_period = '12s'", "6"),
        ("stop_grace_period = '1s'", None),
        ("stop_grace_period = false", None),  # nothing is added
        ("stop_grace_period = { env = 'GRACE', default = '2m' }", None),
        ("flags.shutdown-timeout = 7", "7"),
        ("flags.shutdown-timeout = false", None),
    ],
)
def test_requests_under_way_end_before_docker_kills(text: str, seconds: str | None) -> None:
    command = service_of(tier(f"engine = 'vllm', {text}")).command
    expected = [f"--shutdown-timeout={seconds}"] if seconds else []
    assert [word for word in command if "shutdown" in str(word)] == expected


def test_a_command_that_takes_further_arguments_is_one_string() -> None:
    words = service_of(
        tier("engine = 'vllm', flags.a = 'b c'"),
        port=PORT,
        extra_arguments=VariableText((EnvRef(name="EXTRA", default=""),)),
    ).shell_words

    assert words == (
        *("serve", "/models/m", "--served-model-name=one", '--port="${PORT:-30002}"', "--host=0.0.0.0"),
        *(DRAIN, "'--a=b c'", "${EXTRA:-}"),
    )
    assert service_of(tier("engine = 'vllm'")).shell_words == ()


@pytest.mark.parametrize(
    ("text", "changed", "environment"),
    [
        ("tiers.one.engine = 'vllm'", {}, []),
        (tier("engine = 'vllm', gpus = ['a']"), {}, [("CUDA_DEVICE_ORDER", "PCI_BUS_ID")]),
        # Where the platform does not pin, the variable does, to the GPUs of the inputs.
        (
            tier("engine = 'custom', image = 'x:1', port = 1, gpus = ['a', 'b']") + "\nhost.platform = 'wsl2'",
            {},
            [("CUDA_DEVICE_ORDER", "PCI_BUS_ID"), ("CUDA_VISIBLE_DEVICES", f"{UUID_A},{UUID_B}")],
        ),
        (
            tier("engine = 'vllm', gpus = ['a']") + "\nhost.platform = 'wsl2'",
            {"device_ids": (PORT,)},
            [
                ("CUDA_DEVICE_ORDER", "PCI_BUS_ID"),
                ("CUDA_VISIBLE_DEVICES", PORT),
                ("VLLM_USE_V2_MODEL_RUNNER", "0"),
            ],
        ),
        # The tier has the last word, and a variable keeps the place that it was first given.
        (
            tier("engine = 'vllm', gpus = ['a'], environment = { Z = 1, A = { env = 'X' }, CUDA_DEVICE_ORDER = 'F' }"),
            {},
            [("CUDA_DEVICE_ORDER", "F"), ("A", VariableText((EnvRef(name="X"),))), ("Z", "1")],
        ),
        (
            tier("engine = 'ollama', context_length = 1024"),
            {"sources": {"model": BY_REPO}},
            [
                ("OLLAMA_HOST", "0.0.0.0:8001"),
                ("OLLAMA_MODELS", "/hub/ollama"),
                ("OLLAMA_KEEP_ALIVE", "-1"),
                ("OLLAMA_FLASH_ATTENTION", "1"),
                ("OLLAMA_CONTEXT_LENGTH", "1024"),
            ],
        ),
        # The hub's variables go where something comes from it.
        (tier("engine = 'llamacpp'") + "\nhfcache.token_env = 'HF_TOKEN'", {}, []),
        (
            tier("engine = 'llamacpp'") + "\nhfcache.token_env = 'HF_TOKEN'",
            {"sources": {"model": BY_REPO}},
            [("HF_HUB_CACHE", "/root/.cache/huggingface/hub"), ("HF_TOKEN", None)],
        ),
        (
            tier("engine = 'llamacpp'"),
            {"sources": {"model": BY_PATH, "draft_model": BY_REPO}},
            [("HF_HUB_CACHE", "/root/.cache/huggingface/hub")],
        ),
    ],
)
def test_an_environment(text: str, changed: dict[str, Any], environment: list[tuple[str, Text | None]]) -> None:
    service = service_of(text, **changed)

    assert [(variable.name, variable.value) for variable in service.environment] == environment


def test_a_variable_says_why_it_is_there() -> None:
    service = service_of("host.platform = 'wsl2'\ntiers.one.engine = 'vllm'")

    assert service.environment == (
        EnvVar(
            name="VLLM_USE_V2_MODEL_RUNNER",
            value="0",
            reason="Before 0.30 or so the V2 model runner does not start under WSL2, where vLLM uses no pinned memory: "
            "'UVA is not available'.",
        ),
    )


def test_mounts_are_of_weights_then_files_then_caches_each_place_once() -> None:
    file = Mount(source="./one.files/x", target="/x", read_only=True)
    service = service_of(tier("engine = 'vllm'"), sources={"model": BY_PATH, "lora.x": BY_PATH}, files=(file,))

    assert [mount.target for mount in service.mounts] == [
        *("/models/m", "/x"),
        *("/root/.cache/vllm", "/root/.cache/flashinfer", "/root/.triton"),
    ]
    assert service.mounts[:2] == (MOUNT, file)
    assert list(service.declared.volumes) == ["vllm-cache", "vllm-flashinfer", "vllm-triton"]


@pytest.mark.parametrize(
    ("text", "entrypoint", "health"),
    [
        (
            "engine = 'ollama'",
            ("/bin/ollama",),
            (("CMD", "env", "NO_PROXY=*", "/bin/ollama", "list"), "10s", "5s", 3, "1m"),
        ),
        (
            "engine = 'ollama', start_period = '9m'",
            ("/bin/ollama",),
            (("CMD", "env", "NO_PROXY=*", "/bin/ollama", "list"), "10s", "5s", 3, "9m"),
        ),
        ("engine = 'custom', image = 'x:1', port = 1", (), None),
        (
            "engine = 'custom', image = 'x:1', port = 1, entrypoint = ['sh'], "
            "healthcheck = { test = ['CMD', 'true', '{port}'], retries = 7 }",
            ("sh",),
            (("CMD", "true", "8001"), None, None, 7, "15m"),
        ),
        ("engine = 'vlm'", (), None),
    ],
)
def test_the_program_and_its_health_check(
    text: str, entrypoint: tuple[str, ...], health: tuple[Any, ...] | None
) -> None:
    service = service_of(tier(text))
    fields = ("test", "interval", "timeout", "retries", "start_period")

    assert service.entrypoint == entrypoint
    assert service.health == (None if health is None else HealthCheck(**dict(zip(fields, health, strict=True))))


@pytest.mark.parametrize(
    ("text", "sealed", "ports", "gpus"),
    [
        (tier("engine = 'vllm'"), False, ["127.0.0.1:8001:8001"], None),
        (
            tier("engine = 'vllm', gpus = ['b', 'a'], bind = '::1'"),
            False,
            ["[::1]:8001:8001"],
            Reservation(vendor="nvidia", driver="nvidia", runtime="", device_ids=(UUID_B, UUID_A), count=None),
        ),
        ("host.egress = 'deny'\n" + tier("engine = 'vllm'"), True, [], None),
    ],
)
def test_who_reaches_a_service_and_what_it_holds(
    text: str, sealed: bool, ports: list[str], gpus: Reservation | None
) -> None:
    service = service_of(text)

    assert (service.sealed, [port.spec for port in service.ports], service.gpus) == (sealed, ports, gpus)


def test_what_goes_from_options_and_inputs_as_it_is() -> None:
    text = (
        "[tiers.one]\nengine = 'vllm'\nimage = 'x:1'\nrestart = 'always'\nstop_grace_period = '2m'\nshm_size = '8g'\n"
        "log_max_size = '1m'\nlog_max_files = 7\noverride = { user = 'x$me', volumes = ['data:/d', '/h:/h'] }"
    )
    service = service_of(text, labels=(("a", "b"),))

    assert (service.name, service.container_name, service.image) == ("one", "box-one", "x:1")
    assert (service.restart, service.stop_grace_period, service.shm_size, service.ipc) == ("always", "2m", "8g", None)
    assert service.logging == Logging(driver="json-file", options={"max-size": "1m", "max-file": "7"})
    assert service.labels == (("a", "b"),)
    assert service.override == {"user": "x$$me", "volumes": ["data:/d", "/h:/h"]}
    assert service.override_declared.volumes == {"data": {}}


@pytest.mark.parametrize(("flags", "checked"), [("nnodes = 2, headless = true", False), ("nnodes = 2", True)])
def test_a_rank_that_answers_nobody_is_not_checked(flags: str, checked: bool) -> None:
    service = service_of(tier(f"engine = 'vllm', gpus = ['a'], tensor_parallel = 2, flags = {{ {flags} }}"))

    assert (service.health is not None) == checked
