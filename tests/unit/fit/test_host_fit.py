"""A host: what its tiers take, and its GPUs over everything that can run together."""

from __future__ import annotations

from pathlib import Path

import pytest
from gguf_files import Shape, model
from model_facts import CHAT_LOCK

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.deploy.pipeline import Generator
from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.fit.estimate import exactly
from anvil_gen.fit.host_fit import HostFit, host_fit
from anvil_gen.fit.model_facts import ModelFacts
from anvil_gen.fit.settings import GIB
from anvil_gen.resolve.host import Host

INVENTORY = """schema = 1
[paths]
models = "{models}"
[hfcache]
path = "/srv/huggingface"
[gpus.a]
uuid = "GPU-d0f446cf-1771-414c-e116-a39138798a8c"
memory_mib = 24576
reserve_mib = 512
[gpus.b]
uuid = "GPU-04d3b6e7-5691-3e86-1d34-c37999440cf1"
memory_mib = 24576
[tiers.chat]
engine = "vllm"
image = "vllm/vllm-openai:v0.31.0"
gpus = ["a"]
port = 30000
model = {{ repo = "org/chat" }}
context_length = 30000
gpu_memory_utilization = 0.6
[tiers.small]
engine = "llamacpp"
gpus = ["a"]
port = 30001
model = {{ file = "small.gguf" }}
context_length = 4096
max_sequences = 2
gpu_memory = "4GiB"
[tiers.big]
engine = "vllm"
gpus = ["a"]
port = 30002
model = {{ repo = "org/big" }}
gpu_memory_utilization = 0.35
standby = true
[modes.heavy]
tiers = ["chat", "big"]
[experiment]
engine = "vllm"
gpu = "a"
port = 30010
gpu_memory_utilization = 0.3
"""


def no_hub(repo: str, _revision: str | None) -> ModelFacts:
    raise DiagnosticError([Diagnostic(code="model-cannot-be-read", detail=f"{repo}: nobody asks", remedy="a remedy")])


def fleet(folder: Path, inventory: str = INVENTORY, lock: str = CHAT_LOCK, *, make: bool = False) -> Host:
    """Write a fleet with a small model, and return its host."""
    if make:
        folder.mkdir()
    for name in ("hosts", "locks", "models"):
        (folder / name).mkdir()
    model(folder / "models" / "small.gguf", Shape(layers=4, hidden=512, head_dim=64))
    (folder / "hosts" / "box.toml").write_text(inventory.format(models=(folder / "models").as_posix()))
    (folder / "locks" / "box.toml").write_text(lock)
    return Host(folder / "hosts" / "box.toml", Catalog())


@pytest.fixture
def result(tmp_path: Path) -> HostFit:
    return host_fit(fleet(tmp_path), [], no_hub)


def test_facts_come_from_the_lock_and_from_the_disk(result: HostFit) -> None:
    chat, small, big = result.tiers

    assert chat.estimate is not None
    assert chat.estimate.bytes_per_token == 36 * 8 * 256 * 2
    assert chat.verdict == "unsure"
    assert small.estimate is not None
    assert small.estimate.kv.low == 4096 * 4 * 2 * (64 + 64) * 2
    assert small.verdict == "fits"
    assert (big.estimate, big.verdict, big.reasons) == (None, "unsure", ("org/big: nobody asks: a remedy",))


def test_a_gpu_adds_up_what_runs_together(result: HostFit) -> None:
    loads = {(load.mode, load.with_experiment): load for load in result.gpus}

    assert set(loads) == {("default", False), ("heavy", False), ("default", True)}
    default = loads["default", False]
    sizes = {part.server: part.size.high / GIB for part in default.parts if part.size is not None}
    assert sizes == pytest.approx({"chat": 14.4, "small": 4.0}, abs=0.01)
    assert (default.reserve, default.verdict) == (512 << 20, "fits")
    assert loads["heavy", False].verdict == "fits"  # 0.95 of it, and what is reserved
    assert loads["default", True].verdict == "does not fit"  # 14.4 + 4 + 7.2 + 0.5 of 24
    assert result.verdict == "does not fit"


def test_an_engines_own_share_is_one_of_the_whole_gpu(tmp_path: Path) -> None:
    """What is reserved is not taken off before: vLLM asks for 0.92 of all 24 GiB, of which 23.5 are free."""
    inventory = INVENTORY.replace("gpu_memory_utilization = 0.6\n", "").partition("[tiers.small]")[0]
    (chat,) = host_fit(fleet(tmp_path, inventory), [], no_hub).tiers

    assert chat.estimate is not None
    assert chat.estimate.total.high == pytest.approx(0.92 * 24 * GIB)


def test_some_tiers_alone_are_shown_with_the_gpus_they_are_on(tmp_path: Path) -> None:
    result = host_fit(fleet(tmp_path), ["small"], no_hub)

    assert [tier.tier for tier in result.tiers] == ["small"]
    assert {part.server for load in result.gpus for part in load.parts} == {"chat", "small", "big", "experiment"}


def test_a_share_that_nobody_states_is_the_need(tmp_path: Path) -> None:
    result = host_fit(
        fleet(
            tmp_path, INVENTORY.replace('"a"]\nport = 30001', '"b"]\nport = 30001').replace('gpu_memory = "4GiB"\n', "")
        ),
        ["small"],
        no_hub,
    )

    (load,) = result.gpus
    assert result.tiers[0].estimate is not None
    assert [(load.gpu, part.server, part.size) for part in load.parts] == [
        ("b", "small", result.tiers[0].estimate.total)
    ]


DRAFT = 'draft_model = {{ file = "p.gguf" }}'
PROJECTOR = Shape(layers=2, hidden=256, head_dim=64)


@pytest.mark.parametrize(
    ("more", "on_disk", "verdict", "reasons"),
    [
        ('mmproj = "p.gguf"', False, "unsure", ["its projector is not counted: its file is not here"]),
        # A model is no projector: of a kind that is not known, the weights alone are.
        ('mmproj = "p.gguf"', True, "unsure", ["the buffer in which its projector computes a picture is not counted"]),
        (
            'draft_model = {{ file = "p.gguf" }}',
            False,
            "unsure",
            ["its draft model is not counted: nothing is known of it"],
        ),
        (DRAFT, True, "fits", []),
        ('lora = {{ sql = "p.gguf" }}', False, "unsure", ["an adapter is not counted: it is not here"]),
        ('lora = {{ sql = "p.gguf" }}', True, "fits", []),
    ],
)
def test_what_is_besides_the_model_is_counted_where_it_is_here(
    more: str, on_disk: bool, verdict: str, reasons: list[str], tmp_path: Path
) -> None:
    """A draft with its own context, and the weights of a projector and of adapters."""
    text = INVENTORY.replace('model = {{ file = "small.gguf" }}', f'model = {{{{ file = "small.gguf" }}}}\n{more}')
    host, alone = fleet(tmp_path, text), host_fit(fleet(tmp_path / "x", INVENTORY, make=True), ["small"], no_hub)
    if on_disk:
        model(tmp_path / "models" / "p.gguf", PROJECTOR)
    result = host_fit(host, ["small"], no_hub)

    (tier,), (without,) = result.tiers, alone.tiers
    assert (tier.verdict, list(tier.reasons)) == (verdict, reasons)
    assert tier.estimate is not None
    assert without.estimate is not None
    assert (tier.estimate.total.low > without.estimate.total.low) is on_disk


@pytest.mark.parametrize(("rank", "verdict"), [("rank = 16", "fits"), ("", "unsure")])
def test_an_adapter_takes_its_rank_in_every_matrix(rank: str, verdict: str, tmp_path: Path) -> None:
    """vLLM makes room for the highest rank before it knows which matrices change."""
    lora = f'lora.sql = {{{{ repo = "org/sql"{", " + rank if rank else ""} }}}}\nflags.max-num-batched-tokens = 2048'
    text = INVENTORY.replace("context_length = 30000", f"context_length = 8000\n{lora}")
    lock = CHAT_LOCK.replace("max_context", "heads = 32\nhidden = 4096\nintermediate = 12288\nmax_context")
    result = host_fit(fleet(tmp_path, text, lock), ["chat"], no_hub)

    (tier,) = result.tiers
    assert tier.estimate is not None
    assert tier.verdict == verdict
    # 16 * 2 bytes * 36 layers * (4 projections of attention and 3 of the network)
    needed = 16 * 2 * 36 * (2 * (4096 + 4096) + 2 * (4096 + 1024) + 3 * (4096 + 12288)) if rank else 0
    assert tier.estimate.overhead.high / GIB == pytest.approx(3.4 + needed / GIB, abs=0.05)


def test_the_version_is_that_of_the_images_tag(tmp_path: Path) -> None:
    inventory = INVENTORY.replace("v0.31.0", "v0.11.0").replace("gpu_memory_utilization = 0.6\n", "")
    inventory = inventory.replace('"a"]\nport = 30000', '"b"]\nport = 30000')
    result = host_fit(fleet(tmp_path, inventory), ["chat"], no_hub)

    assert result.tiers[0].estimate is not None
    assert result.tiers[0].estimate.total.high / (24 * GIB) == pytest.approx(0.9)


def test_facts_of_a_lock_that_are_none_are_told_with_their_line(tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError) as caught:
        host_fit(fleet(tmp_path, lock=CHAT_LOCK.replace('layers = "F*36"', "layers = 36")), [], no_hub)

    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "model-cannot-be-read"
    assert diagnostic.location is not None
    assert diagnostic.location.line == 4


def test_a_render_warns_of_a_model_that_does_not_fit_by_the_lock_alone(tmp_path: Path) -> None:
    large = CHAT_LOCK.replace("8000000000", "24000000000")
    fleet(tmp_path, lock=large)
    warnings = Generator().render(tmp_path / "hosts" / "box.toml").host.warnings

    (warning,) = [one for one in warnings if one.code == "model-does-not-fit"]
    assert (warning.severity, warning.address) == ("warning", "tiers.chat.model")
    assert "weights and overhead take all of the engine's share: 22.35 GiB and " in warning.detail


def test_a_render_without_facts_warns_of_nothing(tmp_path: Path) -> None:
    fleet(tmp_path, lock="lock = 1\n")
    warnings = Generator().render(tmp_path / "hosts" / "box.toml").host.warnings

    assert [one for one in warnings if one.code == "model-does-not-fit"] == []


def test_tiers_of_different_profiles_are_not_added_up(tmp_path: Path) -> None:
    inventory = INVENTORY.replace("context_length = 30000\n", 'context_length = 30000\nprofiles = ["x"]\n')
    inventory = inventory.replace('gpu_memory = "4GiB"\n', 'gpu_memory = "4GiB"\nprofiles = ["y"]\n')
    result = host_fit(fleet(tmp_path, inventory), [], no_hub)

    (load,) = (one for one in result.gpus if (one.gpu, one.mode, one.with_experiment) == ("a", "default", False))
    assert [part.server for part in load.parts] == ["chat"]


def test_an_engine_with_a_share_of_its_own_takes_it_whatever_the_model_is(tmp_path: Path) -> None:
    """Nothing is known of the model, and yet what vLLM takes of the GPU is."""
    inventory = INVENTORY.replace('gpus = ["a"]\nport = 30000', 'gpus = ["b"]\nport = 30000').replace(
        "context_length = 30000\ngpu_memory_utilization = 0.6\n", ""
    )
    host = fleet(tmp_path, inventory, lock="lock = 1\n")
    result = host_fit(host, ["chat"], None)

    assert result.tiers[0].estimate is None
    (load,) = (one for one in result.gpus if one.gpu == "b" and one.mode == "default")
    assert [(part.server, part.size) for part in load.parts] == [("chat", exactly(0.92 * 24576 * 2**20))]
    assert load.verdict == "fits"
