"""What an inventory refers to: engines, cards, models, flags, tiers. Each that is not there, or not fit, is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from inventories import HUB, UUID_A, UUID_B, Fault, compared, faults_of

from anvil_gen.deploy.pipeline import Generator

HEAD = f"""\
schema = 1
hfcache.volume = "hub"
gpus.big = {{ uuid = "{UUID_A}", memory_mib = 24000 }}
gpus.old = {{ uuid = "{UUID_B}", compute_capability = "8.6" }}
"""
TIER = f'engine = "vllm", model = {HUB}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("▸", [("no tiers", "", "add a table [tiers.NAME]")]),
        ("[router]\naliases.coder = 'fast'", [("no tiers", "", "add a table [tiers.NAME]")]),
        (f"tiers.▸one = {{ model = {HUB} }}", [("missing key", "tiers.one", "with one of: ")]),
        (f"tiers.one = {{ engine = ▸'vlm', model = {HUB} }}", [("unknown engine", "tiers.one.engine", '"vllm"?')]),
        (f"tiers.one = {{ engine = ▸'VLLM', model = {HUB} }}", [("unknown engine", "tiers.one.engine", '"vllm"?')]),
        (
            f"tiers.one = {{ engine = ▸'zzz', model = {HUB} }}",
            [("unknown engine", "tiers.one.engine", 'add a folder "templates/engines/zzz/"')],
        ),
        (f"tiers.one = {{ {TIER}, gpus = ['big', ▸'bigg'] }}", [("unknown GPU", "tiers.one.gpus[1]", '"big"?')]),
        (f"tiers.one = {{ {TIER}, gpus = [▸'zzz'] }}", [("unknown GPU", "tiers.one.gpus[0]", "[gpus.zzz]")]),
        (f"tiers.one = {{ {TIER}, gpus = ['big', ▸'big'] }}", [("GPU named twice", "tiers.one.gpus[1]", "once")]),
        (f"tiers.one = {{ {TIER} }}\n[▸gpus.new]", [("missing key", "gpus.new", "nvidia-smi -L")]),
        (
            f"tiers.one = {{ {TIER} }}\ngpus.new = {{ uuid = 'MIG-{UUID_A[4:]}', vendor = ▸'nvida' }}",
            [("unknown vendor", "gpus.new.vendor", 'did you mean "nvidia"?')],
        ),
        (f"tiers.one = {{ {TIER} }}\nrouter.kind = ▸'anvl'", [("unknown router", "router.kind", '"anvil"?')]),
        (
            f"tiers.fast = {{ {TIER} }}\nrouter.aliases.coder = ▸'fasst'",
            [("alias to a missing tier", "router.aliases.coder", 'did you mean "fast"?')],
        ),
        (
            f"tiers.one = {{ {TIER} }}\ntiers.two = {{ {TIER}, port = 1, served_name = ▸'ONE' }}\n"
            "router.kind = 'anvil'",
            [("model name taken twice", "tiers.two.served_name", "a request names one tier")],
        ),
        (
            f"tiers.one = {{ {TIER} }}\ntiers.two = {{ {TIER}, port = 1 }}\nrouter.aliases.one = ▸'two'",
            [("model name taken twice", "router.aliases.one", "a request names one tier")],
        ),
        *(
            (
                f"tiers.one = {{ {TIER} }}\nexperiment = {{ engine = ▸'{engine}', image = 'x' }}",
                [("not for the experiment", "experiment.engine", "take another engine")],
            )
            for engine in ("ollama", "custom")
        ),
        (f"tiers.one = {{ {TIER} }}\n[▸experiment]", [("missing key", "experiment", "with one of: ")]),
        (
            f"tiers.one = {{ {TIER} }}\nexperiment = {{ engine = 'vllm', gpu = ▸'Big' }}",
            [("unknown GPU", "experiment.gpu", 'did you mean "big"?')],
        ),
        (
            f"tiers.one = {{ {TIER}, gpus = ['old'], kv_cache_dtype = ▸'fp8' }}",
            [("not on this GPU", "tiers.one.kv_cache_dtype", "leave it out")],
        ),
    ],
)
def test_a_reference_leads_nowhere(tmp_path: Path, text: str, expected: list[Fault]) -> None:
    # What is missing from the whole file is told at its beginning.
    head, text = ("▸" + HEAD, text.removeprefix("▸")) if expected[0][0] == "no tiers" else (HEAD, text)
    found, wanted = compared(head + text, expected, tmp_path)

    assert found == wanted


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("▸{}", ("one of path, repo and file", "tiers.one.model", 'path = "folder"')),
        ("▸{ path = 'a', repo = 'b/c' }", ("one of path, repo and file", "tiers.one.model", "keep one")),
        ("▸{ path = 'a', repo = 'b/c', file = 'd' }", ("one of path, repo and file", "tiers.one.model", "keep one")),
        ("{ file = ▸'a.gguf' }", ("not for this engine", "tiers.one.model.file", "use path or repo")),
        ("{ path = '/a', revision = ▸'main' }", ("not for this model", "tiers.one.model.revision", "use repo")),
        ("{ path = ▸'a' }", ("missing key", "tiers.one.model.path", '[paths] with models = "')),
        ("{ path = ▸'C:/' }", ("not a place below the model folder", "tiers.one.model.path", "below it")),
        ("{ path = ▸'/..' }", ("not a place below the model folder", "tiers.one.model.path", "below it")),
    ],
)
def test_a_model_is_not_clear(tmp_path: Path, model: str, expected: Fault) -> None:
    found, wanted = compared(HEAD + f"tiers.one = {{ engine = 'vllm', model = {model} }}\n", [expected], tmp_path)

    assert found == wanted


@pytest.mark.parametrize("path", ["../a", "a/../..", ".", "./.", "C:a"])
def test_a_model_lies_below_the_model_folder(tmp_path: Path, path: str) -> None:
    text = HEAD + f"paths.models = '/srv'\ntiers.one = {{ engine = 'vllm', model = {{ path = ▸'{path}' }} }}\n"

    found, wanted = compared(
        text, [("not a place below the model folder", "tiers.one.model.path", "below it")], tmp_path
    )

    assert found == wanted


@pytest.mark.parametrize(
    ("models", "summary", "remedy"),
    [
        ("C:models", "not an absolute path", "C:/"),
        ("srv\\models", "not of the right form", "forward slashes"),
        ("~other/models", "not of the right form", "write the folder out"),
    ],
)
def test_the_model_folder_is_a_path_that_compose_can_mount(
    tmp_path: Path, models: str, summary: str, remedy: str
) -> None:
    text = HEAD + f"paths.models = ▸'{models}'\ntiers.one = {{ engine = 'vllm', model = {{ path = 'a' }} }}\n"

    found, wanted = compared(text, [(summary, "paths.models", remedy)], tmp_path)

    assert found == wanted


def test_one_missing_fact_is_told_once(tmp_path: Path) -> None:
    text = "schema = 1\ntiers.one = { engine = 'vllm', model = { repo = ▸'org/model' } }\n"
    more = f"tiers.two = {{ {TIER}, port = 1 }}\nexperiment = {{ engine = 'vllm' }}\n"

    found, wanted = compared(
        text + more, [("missing key", "tiers.one.model.repo", '[hfcache] with volume = "')], tmp_path
    )

    assert found == wanted


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("flags.▸port = 1", ("flag of a field", "tiers.one.flags.port", 'set "port" of tiers.one')),
        ("flags.▸max_model_len = 1", ("flag of a field", "tiers.one.flags.max_model_len", 'set "context_length"')),
        ("flags.▸tp = 2", ("flag of a field", "tiers.one.flags.tp", 'set "tensor_parallel"')),
        ("flags.▸revision = 'a'", ("flag of a field", "tiers.one.flags.revision", 'set "model.revision"')),
        (
            "flags.code-revision = 1\nflags.▸code_revision = 2",
            ("flag written twice", "tiers.one.flags.code_revision", "keep one"),
        ),
        (
            "flags.additional-config = ▸2020-01-01",
            ("wrong type", "tiers.one.flags.additional-config", "write it in quotes"),
        ),
        (
            "flags.additional-config = { y = [▸07:32:00] }",
            ("wrong type", "tiers.one.flags.additional-config.y[0]", "write it in quotes"),
        ),
        ("flags.middleware = [▸[1]]", ("wrong type", "tiers.one.flags.middleware[0]", "a list of values")),
        (
            "flags.additional-config = ▸inf",
            ("number out of range", "tiers.one.flags.additional-config", "write it as text"),
        ),
    ],
)
def test_a_flag_cannot_be_written(tmp_path: Path, flags: str, expected: Fault) -> None:
    found, wanted = compared(HEAD + f"[tiers.one]\nengine = 'vllm'\nmodel = {HUB}\n{flags}\n", [expected], tmp_path)

    assert found == wanted


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            "gpus = ['big'], gpu_memory = ▸'2GiB', gpu_memory_utilization = 0.5",
            [("two fields for one thing", "tiers.one.gpu_memory", "keep one of them")],
        ),
        ("gpus = ['big'], gpu_memory = ▸'99GiB'", [("number out of range", "tiers.one.gpu_memory", "24000 MiB")]),
        ("gpus = ['big'], gpu_memory = ▸'0GiB'", [("number out of range", "tiers.one.gpu_memory", "24000 MiB")]),
        ("gpus = ['big'], gpu_memory = ▸'1MiB'", [("number out of range", "tiers.one.gpu_memory", "24000 MiB")]),
        (
            "gpus = ['old'], gpu_memory = ▸'2GiB'",
            [("share of a GPU cannot be computed", "tiers.one.gpu_memory", "set memory_mib")],
        ),
        (
            "gpu_memory = ▸'2GiB'",
            [("share of a GPU cannot be computed", "tiers.one.gpu_memory", "name the GPU that it holds")],
        ),
        ("gpu_memory = '2GiB', gpus = [▸'zzz']", [("unknown GPU", "tiers.one.gpus[0]", "[gpus.zzz]")]),
        ("gpu_memory = '2GiB', gpus = ▸'big'", [("wrong type", "tiers.one.gpus", '["big"]')]),
    ],
)
def test_a_share_in_memory(tmp_path: Path, keys: str, expected: list[Fault]) -> None:
    found, wanted = compared(HEAD + f"tiers.one = {{ {TIER}, {keys} }}\n", expected, tmp_path)

    assert found == wanted


@pytest.mark.parametrize(("memory", "share"), [("24000MiB", "1"), ("12000MiB", "0.5"), ("10GiB", "0.4266")])
def test_a_share_in_memory_becomes_a_fraction(tmp_path: Path, memory: str, share: str) -> None:
    inventory = tmp_path / "box.toml"
    inventory.write_text(HEAD + f"tiers.one = {{ {TIER}, gpus = ['big'], gpu_memory = '{memory}' }}\n")

    [service] = Generator().render(inventory).tree.data["tiers/one.yml"]["services"].values()
    assert f"--gpu-memory-utilization={share}" in service["command"]


def test_the_experiment_has_a_port_of_its_own(tmp_path: Path) -> None:
    inventory = tmp_path / "box.toml"
    inventory.write_text(HEAD + f"tiers.one = {{ {TIER} }}\nexperiment = {{ engine = 'vllm', gpu = 'big' }}\n")

    [service] = Generator().render(inventory).tree.data["docker-compose.experiment.yml"]["services"].values()
    assert service["ports"] == ["127.0.0.1:${PORT:-30002}:${PORT:-30002}"]


def test_a_router_needs_no_alias(tmp_path: Path) -> None:
    assert faults_of(HEAD + f"tiers.one = {{ {TIER} }}\n[router]\n", tmp_path) == ()
