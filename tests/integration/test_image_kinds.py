"""Images that differ: by vendor, by processor, by what they start with, and by what they need of the container."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from inventories import HUB, UUID_A, Fault, compared

from anvil_gen.deploy.pipeline import Generator

HEAD = f"""\
schema = 1
hfcache.volume = "hub"
[gpus.n]
uuid = "{UUID_A}"
compute_capability = "8.6"
[gpus.a]
vendor = "amd"
uuid = "GPU-0123456789abcdef"
[gpus.i]
vendor = "intel"
uuid = "0"
"""
ARM = '[host]\narchitecture = "arm64"\n'
TEI = "ghcr.io/huggingface/text-embeddings-inference"


def tier(engine: str, more: str = "") -> str:
    task = 'task = "embedding"\n' if engine == "tei" else ""
    return f'{HEAD}[tiers.one]\nengine = "{engine}"\nmodel = {HUB}\n{task}{more}'


def service(text: str, folder: Path) -> dict[str, Any]:
    """Return the service of the tier."""
    (folder / "box.toml").write_text(text, "utf-8")
    found: dict[str, Any] = Generator().render(folder / "box.toml").tree.data["tiers/one.yml"]["services"]["one"]
    return found


@pytest.mark.parametrize(
    ("text", "image", "entrypoint"),
    [
        (tier("vllm"), "vllm/vllm-openai-cpu:v0.33.0", ["vllm"]),
        (tier("vllm", 'gpus = ["n"]'), "vllm/vllm-openai:v0.33.0", ["vllm"]),
        (tier("vllm", 'gpus = ["a"]'), "vllm/vllm-openai-rocm:v0.33.0", ["vllm"]),
        (
            tier("vllm", 'gpus = ["i"]'),
            "vllm/vllm-openai-xpu:v0.33.0",
            ["bash", "-c", 'source /opt/intel/oneapi/setvars.sh --force && exec vllm "$$@"', "vllm"],
        ),
        (
            tier("sglang", 'gpus = ["a"]\nimage = "lmsysorg/sglang:v0.5.23-rocm720-mi30x"'),
            "lmsysorg/sglang:v0.5.23-rocm720-mi30x",
            ["python3", "-m", "sglang.launch_server"],
        ),
        (tier("tei"), f"{TEI}:cpu-1.9.3", ["text-embeddings-router"]),
        (tier("tei").replace("[gpus.n]", f"{ARM}[gpus.n]"), f"{TEI}:cpu-arm64-1.9.4", ["text-embeddings-router"]),
        (tier("tei", 'gpus = ["n"]'), f"{TEI}:86-1.9.3", None),
        (
            tier("tei", 'gpus = ["n"]').replace("[gpus.n]", f"{ARM}[gpus.n]").replace('"8.6"', '"12.1"'),
            f"{TEI}:121-1.9.4",
            None,
        ),
        (tier("tei", f'gpus = ["n"]\nimage = "{TEI}:cuda-1.9"'), f"{TEI}:cuda-1.9", None),
        (
            tier("tei", f'gpus = ["n"]\nimage = "{TEI}:cuda-1.9"\nentrypoint = ["x"]'),
            f"{TEI}:cuda-1.9",
            ["x"],
        ),
        (
            tier("tei", f'gpus = ["n"]\nimage = {{ env = "IMAGE", default = "{TEI}:cuda-1.9" }}'),
            f"${{IMAGE:-{TEI}:cuda-1.9}}",
            None,
        ),
    ],
)
def test_an_image_is_started_as_it_wants(text: str, image: str, entrypoint: list[str] | None, tmp_path: Path) -> None:
    found = service(text, tmp_path)

    assert (found["image"], found.get("entrypoint")) == (image, entrypoint)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            tier("vllm", 'image = ▸"vllm/vllm-openai:v0.33.0"'),
            [("image for other GPUs", "tiers.one.image", "vllm/vllm-openai-cpu:v0.33.0")],
        ),
        (tier("vllm", 'image = "vllm/vllm-openai-cpu:v0.33.0"'), []),
        (tier("vllm", 'image = "my/fork:1"'), []),
        (tier("vllm", 'image = "vllm/vllm-openai:v0.33.0"\noverride.gpus = "all"'), []),
        (
            tier("vllm", 'gpus = ["a"]\nimage = ▸"vllm/vllm-openai:v0.33.0@sha256:' + "0" * 64 + '"'),
            [("image for other GPUs", "tiers.one.image", "name one for them")],
        ),
        (
            tier("tei", f'gpus = ▸["i"]\nimage = "{TEI}:xpu-ipex-1.9"'),
            [("GPUs that the engine is not known for", "tiers.one.gpus", "")],
        ),
        (
            tier("sglang", 'gpus = ["a"]').replace("[tiers.one]", "[▸tiers.one]"),
            [("missing key", "tiers.one", "write image")],
        ),
        (
            tier("tei", f'image = ▸"{TEI}:cpu-1.9.3"').replace("[gpus.n]", f"{ARM}[gpus.n]"),
            [("image for another platform", "tiers.one.image", "architecture of [host]")],
        ),
    ],
)
def test_what_is_told_of_an_image(text: str, expected: list[Fault], tmp_path: Path) -> None:
    told, wanted = compared(text, expected, tmp_path)

    assert told == wanted


def test_what_a_flag_needs_comes_with_it_below_the_override(tmp_path: Path) -> None:
    flags = 'flags.disaggregation-ib-device = "mlx5_0"\nflags.numa-node = 0\ngpus = ["n"]\n'
    found = service(tier("sglang", f"{flags}override.ulimits.nofile = 1024"), tmp_path)
    other = service(tier("sglang", f"{flags}override.ulimits.memlock = 64\noverride.cap_add = ['X']"), tmp_path)

    assert found["ulimits"] == {"memlock": -1, "nofile": 1024}
    assert found["devices"] == ["/dev/infiniband"]
    assert found["cap_add"] == ["SYS_NICE"]
    assert other["ulimits"] == {"memlock": 64}
    assert other["cap_add"] == ["X"]


@pytest.mark.parametrize(
    ("flag", "ulimits"),
    [
        ("flags.mlock = true", {"memlock": -1}),
        ("flags.load-mode = 'mlock'", {"memlock": -1}),
        ("flags.load-mode = 'mmap'", None),
        ("flags.mlock = false", None),
        ("", None),
    ],
)
def test_a_flag_may_need_something_for_one_of_its_values(
    flag: str, ulimits: dict[str, int] | None, tmp_path: Path
) -> None:
    assert service(tier("llamacpp", f"{flag}\nflag_check = false"), tmp_path).get("ulimits") == ulimits


def test_an_image_may_need_something_too(tmp_path: Path) -> None:
    assert service(tier("vllm"), tmp_path)["cap_add"] == ["SYS_NICE"]
    assert "cap_add" not in service(tier("vllm", 'gpus = ["n"]'), tmp_path)


ALL = (["ALL"], ["DAC_OVERRIDE"])


@pytest.mark.parametrize(
    ("more", "capabilities"),
    [
        ("", ALL),
        ("override.cap_add = { add = ['SYS_PTRACE'] }", (["ALL"], ["DAC_OVERRIDE", "SYS_PTRACE"])),
        # What an override's list leaves out must not be lost with what the image would do without.
        ("override.cap_add = ['SYS_PTRACE']", (None, ["SYS_PTRACE"])),
        ("override.cap_drop = { remove = true }", (None, ["DAC_OVERRIDE"])),
        ("override.privileged = true", (None, ["DAC_OVERRIDE"])),
        ("entrypoint = ['/bin/sh', '-c']", (None, ["DAC_OVERRIDE"])),
    ],
)
def test_an_image_may_do_without_capabilities(
    more: str, capabilities: tuple[list[str] | None, list[str]], tmp_path: Path
) -> None:
    found = service(tier("llamacpp", f"{more}\nflag_check = false"), tmp_path)

    assert (found.get("cap_drop"), found["cap_add"]) == capabilities
    assert found["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("engine", ["vllm", "sglang", "llamacpp", "tei", "tgi", "ollama", "lmdeploy", "infinity"])
def test_no_official_image_gains_privileges(engine: str, tmp_path: Path) -> None:
    """A setuid program in the image makes nobody root."""
    task = 'task = "embedding"\n' if engine == "infinity" else ""
    found = service(tier(engine, f'{task}gpus = ["n"]'), tmp_path)

    assert found["security_opt"] == ["no-new-privileges:true"]


def test_nothing_is_known_of_an_own_image(tmp_path: Path) -> None:
    found = service(tier("llamacpp", 'image = "my/fork:1"\nflag_check = false'), tmp_path)

    assert found.keys().isdisjoint({"cap_drop", "cap_add", "security_opt"})
