"""The options of one model server: its engine, image, GPUs and share, and what its engine or its GPUs refuse."""

from __future__ import annotations

import pytest
from contexts import context_of, server_of, step_compared
from inventories import UUID_A, UUID_B, Fault
from msgspec.structs import replace

from anvil_gen.catalog.engine import Quirk
from anvil_gen.resolve.context import ResolveContext, matching_quirks
from anvil_gen.resolve.model_server import resolve_server
from anvil_gen.resolve.options import ExperimentOptions, Origin
from anvil_gen.resolve.server_gpus import share_of
from anvil_gen.values import EnvRef, Text, VariableText, text_of

GPUS = f"""\
gpus.big = {{ uuid = "{UUID_A}", memory_mib = 24000, compute_capability = "8.6" }}
gpus.new = {{ uuid = "{UUID_B}", memory_mib = 24000, compute_capability = "12.0" }}
gpus.twin = {{ uuid = "{UUID_A}", memory_mib = 24000, compute_capability = "12.0" }}
gpus.bare = {{ uuid = "{UUID_B}" }}
gpus.red = {{ vendor = "amd", uuid = "0", compute_capability = "9.0" }}
gpus.blue = {{ vendor = "intel", uuid = "0" }}
"""
VLLM = 'engine = "vllm"'
SGLANG = 'engine = "sglang"'


def options_told(context: ResolveContext) -> None:
    server_of(context)


def share_told(context: ResolveContext) -> None:
    share_of(context, server_of(context))


@pytest.mark.parametrize(
    ("text", "option", "value", "layer", "path"),
    [
        (f"tiers.one = {{ {VLLM} }}", "served_name", "one", "templates/defaults.toml", None),
        (f"tiers.one = {{ {VLLM} }}", "port", 8001, "templates/engines/vllm/engine.toml", None),
        (
            f"defaults.port = 9000\ntiers.one = {{ {VLLM} }}",
            "port",
            9000,
            "[defaults]",
            ("defaults", "port"),
        ),
        (
            f"defaults.port = 9000\ntiers.one = {{ {VLLM}, port = 9001 }}",
            "port",
            9001,
            "[tiers.one]",
            ("tiers", "one", "port"),
        ),
        # A sealed tier is published nowhere, unless a person says where.
        (f"host.egress = 'deny'\ntiers.one = {{ {VLLM} }}", "bind", False, "[host]", ("host", "egress", "bind")),
        (
            f"host.egress = 'deny'\ntiers.one = {{ {VLLM}, bind = '127.0.0.2' }}",
            "bind",
            "127.0.0.2",
            "[tiers.one]",
            ("tiers", "one", "bind"),
        ),
        # Docker ignores a size of memory that is the host's.
        (f"tiers.one = {{ {VLLM} }}", "ipc", "host", "templates/engines/vllm/engine.toml", None),
        (f"tiers.one = {{ {VLLM}, shm_size = '8g' }}", "ipc", None, "templates/engines/vllm/engine.toml", None),
        (
            f"tiers.one = {{ {VLLM}, shm_size = '8g', ipc = 'private' }}",
            "ipc",
            "private",
            "[tiers.one]",
            ("tiers", "one", "ipc"),
        ),
    ],
)
def test_an_option_is_of_the_last_layer_that_has_it(
    text: str, option: str, value: object, layer: str, path: tuple[str, ...] | None
) -> None:
    options = server_of(context_of(text)).options

    assert (options.get(option), options.origin(option)) == (value, Origin(layer=layer, path=path))


def test_the_experiment_has_a_port_of_its_own_and_takes_no_part_in_defaults() -> None:
    context = context_of(f"{GPUS}defaults.engine = 'sglang'\nexperiment = {{ {VLLM}, gpu = 'big' }}")
    table = context.inventory.experiment
    assert table
    server = resolve_server(context, ExperimentOptions, table, ("experiment",), {"host": "box"})

    assert (server.engine_name, server.options.port, server.options.project) == ("vllm", 30002, "box-experiment")
    assert [gpu.name for gpu in server.gpus] == ["big"]
    assert server.options.container_name == "vllm-experiment-{port}"
    assert context.collector.diagnostics == ()


@pytest.mark.parametrize(
    ("tier", "image"),
    [
        ("engine = 'tei'", "ghcr.io/huggingface/text-embeddings-inference:cpu-1.9.3"),
        ("engine = 'tei', gpus = ['big']", "ghcr.io/huggingface/text-embeddings-inference:86-1.9.3"),
        ("engine = 'tei', gpus = ['new']", "ghcr.io/huggingface/text-embeddings-inference:120-1.9.3"),
        ("engine = 'llamacpp'", "ghcr.io/ggml-org/llama.cpp:server-b11382"),
        ("engine = 'llamacpp', gpus = ['big']", "ghcr.io/ggml-org/llama.cpp:server-cuda-b11382"),
        ("engine = 'llamacpp', gpus = ['red']", "ghcr.io/ggml-org/llama.cpp:server-rocm-b11382"),
        ("engine = 'ollama', gpus = ['big']", "ollama/ollama:0.32.15"),
        ("engine = 'vllm', image = 'mine:1', gpus = ['big']", "mine:1"),
        ("engine = 'vllm', image = { env = 'IMAGE' }", VariableText((EnvRef(name="IMAGE"),))),
        (
            "engine = 'vllm', image = { env = 'IMAGE', default = 'mine:1' }",
            VariableText((EnvRef(name="IMAGE", default="mine:1"),)),
        ),
    ],
)
def test_an_image_follows_from_the_gpus(tier: str, image: Text) -> None:
    assert server_of(context_of(f"{GPUS}tiers.one = {{ {tier} }}")).image == image


@pytest.mark.parametrize(
    ("tier", "platform", "reasons"),
    [
        (f"{VLLM}, gpus = ['new']", "linux", []),
        (f"{VLLM}, gpus = ['new']", "wsl2", ["Before 0.30"]),
        (f"{VLLM}, gpus = ['big']", "linux", ["not every attention"]),
        (f"{VLLM}, gpus = ['new', 'big']", "wsl2", ["Before 0.30", "not every attention"]),
        (f"{VLLM}, gpus = ['bare']", "linux", []),
        ("engine = 'llamacpp'", "linux", []),
        ("engine = 'llamacpp', gpus = ['big']", "linux", ["all layers"]),
        ("engine = 'llamacpp', gpus = ['big', 'new']", "linux", ["all layers", "stated, since"]),
    ],
)
def test_a_quirk_applies_where_all_its_conditions_hold(tier: str, platform: str, reasons: list[str]) -> None:
    context = context_of(f"{GPUS}host.platform = '{platform}'\ntiers.one = {{ {tier} }}")
    server = server_of(context)
    assert server.engine is not None
    found = [quirk.reason for quirk in matching_quirks(context, server.engine, server.gpu_request)]

    assert [reason[: len(start)] for reason, start in zip(found, reasons, strict=True)] == reasons


@pytest.mark.parametrize(
    ("quirk", "applies"),
    [
        (Quirk(reason="x", compute_capability_below="8.6"), False),
        (Quirk(reason="x", compute_capability_below="8.7"), True),
        (Quirk(reason="x", compute_capability_below="12.0"), True),
        (Quirk(reason="x", compute_capability_from="8.6"), True),
        (Quirk(reason="x", compute_capability_from="8.7"), False),
        (Quirk(reason="x", compute_capability_from="8.6", gpus_from=2), False),
    ],
)
def test_a_quirk_ends_below_a_compute_capability_and_starts_at_one(quirk: Quirk, applies: bool) -> None:
    context = context_of(f"{GPUS}tiers.one = {{ {VLLM}, gpus = ['big'] }}")
    server = server_of(context)
    assert server.engine is not None

    found = matching_quirks(context, replace(server.engine, quirks=(quirk,)), server.gpu_request)
    assert [*found] == ([quirk] if applies else [])


def test_a_value_of_the_inventory_as_text() -> None:
    assert text_of(3) == "3"
    assert text_of("$HOME") == "$HOME"


@pytest.mark.parametrize(
    ("tier", "share"),
    [
        ("gpus = ['big']", None),
        ("gpus = ['big'], gpu_memory_utilization = 0.90", "0.90"),
        ("gpus = ['big'], gpu_memory = '12000MiB'", "0.5"),
        ("gpus = ['big'], gpu_memory = '24000MiB'", "1"),
        # Rounded down, so that two halves fit.
        ("gpus = ['big'], gpu_memory = '8000MiB'", "0.3333"),
        ("gpus = ['new', 'twin'], gpu_memory = '6000MiB'", "0.25"),
    ],
)
def test_the_share_of_a_gpu(tier: str, share: str | None) -> None:
    context = context_of(f"{GPUS}tiers.one = {{ {VLLM}, {tier} }}")
    found = share_of(context, server_of(context))

    assert (found if found is None else str(found)) == share
    assert context.collector.diagnostics == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"tiers.one = {{ {VLLM}, gpus = ['bare'], gpu_memory = ▸'8GiB' }}",
            [
                (
                    "share of a GPU cannot be computed",
                    "tiers.one.gpu_memory",
                    "set memory_mib of each GPU, all alike, or",
                )
            ],
        ),
        (
            f"tiers.one = {{ {VLLM}, gpu_memory = ▸'8GiB' }}",
            [("share of a GPU cannot be computed", "tiers.one.gpu_memory", "name the GPU that it holds, or")],
        ),
        (
            f"tiers.one = {{ {VLLM}, gpus = ['big'], gpu_memory_utilization = 0.5, gpu_memory = ▸'8GiB' }}",
            [("two fields for one thing", "tiers.one.gpu_memory", "keep one of them")],
        ),
        (
            f"tiers.one = {{ {VLLM}, gpus = ['big'], gpu_memory = ▸'48000MiB' }}",
            [("number out of range", "tiers.one.gpu_memory", "24000 MiB at most")],
        ),
        (
            f"tiers.one = {{ {VLLM}, gpus = ['big'], gpu_memory = ▸'1MiB' }}",
            [("number out of range", "tiers.one.gpu_memory", "24000 MiB at most")],
        ),
        # What only follows from an unknown GPU is not told.
        (
            f"tiers.one = {{ {VLLM}, gpus = [▸'bigg'], gpu_memory = '8GiB' }}",
            [("unknown GPU", "tiers.one.gpus[0]", 'did you mean "big"?')],
        ),
    ],
)
def test_a_share_that_is_none(text: str, expected: list[Fault]) -> None:
    found, wanted = step_compared(GPUS + text, share_told, expected)

    assert found == wanted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tiers.▸one.port = 1", [("missing key", "tiers.one", 'write engine = "…", with one of: aphrodite, custom')]),
        ("tiers.one.engine = ▸'vlm'", [("unknown engine", "tiers.one.engine", 'did you mean "vllm"?')]),
        ("defaults.engine = ▸'x'\ntiers.one.port = 1", [("unknown engine", "defaults.engine", "templates/engines/x/")]),
        (
            "tiers.▸one = { engine = 'custom', port = 1 }",
            [("missing key", "tiers.one", "a custom image has no image of its own")],
        ),
        (
            "tiers.▸one = { engine = 'custom', image = 'x:1' }",
            [("missing key", "tiers.one", "write the port that the container listens on")],
        ),
        (
            "tiers.▸one = { engine = 'tei', task = 'embedding', gpus = ['bare'] }",
            [("no image for this GPU", "tiers.one", "set compute_capability of gpus.bare, or image")],
        ),
        (
            f"tiers.one = {{ {VLLM}, gpus = ['big', ▸'big'] }}",
            [("GPU named twice", "tiers.one.gpus[1]", "name each GPU once")],
        ),
        (
            f"tiers.one = {{ {VLLM}, gpus = [▸'zzz'] }}",
            [("unknown GPU", "tiers.one.gpus[0]", 'add a table [gpus.zzz] with its "uuid"')],
        ),
        (
            "tiers.one = { engine = 'llamacpp', gpus = ▸['big', 'red'] }",
            [("GPUs of two vendors", "tiers.one.gpus", "one tier takes the GPUs of one vendor")],
        ),
        (
            f"tiers.one = {{ {SGLANG}, gpus = ▸['blue'] }}",
            [("not for this engine", "tiers.one.gpus", "take another GPU, or another engine")],
        ),
        (
            f"tiers.one = {{ {VLLM}, task = ▸'speech' }}",
            [("not for this engine", "tiers.one.task", 'write task = "chat"')],
        ),
        (
            "tiers.▸one.engine = 'tei'",
            [("not for this engine", "tiers.one", 'write task = "embedding"')],
        ),
        (
            f"tiers.one = {{ {VLLM}, ▸mmproj = 'x' }}",
            [("not for this engine", "tiers.one.mmproj", "look for a flag that says it")],
        ),
        (f"tiers.one = {{ {VLLM}, command = ['serve', '{{model}}', 'x'] }}", []),
        (
            "tiers.one = { engine = 'custom', image = 'x:1', port = 1, ▸flags.x = 1 }",
            [("not for this engine", "tiers.one.flags", "remove it")],
        ),
        # Tiers of other engines share what [defaults] say.
        ("defaults.context_length = 1024\ntiers.one = { engine = 'tei', task = 'rerank' }", []),
        (f"tiers.one = {{ {VLLM}, flags.api-key = {{ env = 'API_KEY' }}, environment.MY_TOKEN = '' }}", []),
        (
            f"tiers.one = {{ {VLLM}, flags.▸tp = 2 }}",
            [("flag of a field", "tiers.one.flags.tp", 'set "tensor_parallel" of tiers.one')],
        ),
        (
            f"tiers.one = {{ {VLLM}, flags.▸max_model_len = 2 }}",
            [("flag of a field", "tiers.one.flags.max_model_len", 'set "context_length" of tiers.one')],
        ),
        (
            f"tiers.one = {{ {VLLM}, flags.code-revision = 1, flags.▸code_revision = 2 }}",
            [("flag written twice", "tiers.one.flags.code_revision", "keep one of the two")],
        ),
        (
            f"tiers.one = {{ {VLLM}, flags.middleware = [1, ▸[2]] }}",
            [("wrong type", "tiers.one.flags.middleware[1]", "a flag takes a list of values")],
        ),
        (
            f"tiers.one = {{ {VLLM}, flags.additional-config = {{ b = ▸inf, c = ▸2020-01-01 }} }}",
            [
                ("number out of range", "tiers.one.flags.additional-config.b", "write it as text"),
                ("wrong type", "tiers.one.flags.additional-config.c", "write it in quotes"),
            ],
        ),
        (
            f"tiers.one = {{ {VLLM}, gpus = ['big'], kv_cache_dtype = ▸'fp8' }}",
            [("not on this GPU", "tiers.one.kv_cache_dtype", "leave it out")],
        ),
        (f"tiers.one = {{ {VLLM}, gpus = ['new'], kv_cache_dtype = 'fp8' }}", []),
    ],
)
def test_what_is_refused(text: str, expected: list[Fault]) -> None:
    found, wanted = step_compared(GPUS + text, options_told, expected)

    assert found == wanted
