"""Flags: removed, under other names, and beside the fields that write them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from inventories import Fault, compared

from anvil_gen.deploy.pipeline import Generator

LLAMA = 'schema = 1\n[tiers.one]\nengine = "llamacpp"\nport = 9000\nmodel = { file = "/m/x.gguf" }\n'
VLLM = 'schema = 1\n[tiers.one]\nengine = "vllm"\nport = 9000\nmodel = { path = "/m/x" }\n'


def command_of(folder: Path, text: str) -> list[str]:
    (folder / "box.toml").write_text(text, "utf-8")
    tier = Generator().render(folder / "box.toml").tree.files["tiers/one.yml"]
    command: list[str] = yaml.safe_load(tier)["services"]["one"]["command"]
    return command


@pytest.mark.parametrize("name", ["gpu-layers", "n-gpu-layers", "n_gpu_layers"])
def test_a_flag_is_written_by_one_name(name: str, tmp_path: Path) -> None:
    command = command_of(tmp_path, LLAMA + f"gpus = 1\nflags.{name} = 20\n")
    given = [command[at + 1] for at, word in enumerate(command) if word == "--n-gpu-layers"]

    assert given == ["20"]  # and not the 999 that a GPU brings
    assert not {"--gpu-layers", "--n_gpu_layers"} & {*command}


@pytest.mark.parametrize(
    ("lines", "gone"),
    [
        ("flags.port = false", "--port=9000"),
        ("flags.served_model_name = false\nserved_name = '/models/x'", "--served-model-name=/models/x"),
        ("flags.host = false", "--host=0.0.0.0"),
    ],
)
def test_a_flag_that_says_what_others_read_too_can_be_removed(lines: str, gone: str, tmp_path: Path) -> None:
    field = next((line for line in lines.splitlines() if not line.startswith("flags")), "")
    plain, without = command_of(tmp_path, VLLM + field), command_of(tmp_path, VLLM + lines)

    assert [word for word in plain if word != gone] == without
    assert gone in plain


def test_several_values_stand_as_the_flag_of_the_version_takes_them(tmp_path: Path) -> None:
    command = command_of(
        tmp_path, VLLM + 'flags.middleware = ["a.b", "c.d"]\nflags.logits-processors = ["e:f", "g:h"]\n'
    )

    assert [word for word in command if "middleware" in word] == ["--middleware=a.b", "--middleware=c.d"]
    assert command[command.index("--logits-processors") :][:3] == ["--logits-processors", "e:f", "g:h"]


def test_a_number_of_gpus_need_not_reach_the_engine(tmp_path: Path) -> None:
    assert "--tensor-parallel-size=2" in command_of(tmp_path, VLLM + "gpus = 2\n")
    assert not [
        word
        for word in command_of(tmp_path, VLLM + "gpus = 2\nflags.tensor-parallel-size = false\n")
        if "tensor" in word
    ]


def test_a_model_that_a_flag_names_needs_no_field(tmp_path: Path) -> None:
    text = VLLM.replace('{ path = "/m/x" }', "false") + 'flags.model = "/weights/x"\n'

    assert "--model=/weights/x" in command_of(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (VLLM + "context_length = 9\n▸flags.max-model-len = false", ("flag of a field", "max-model-len", "remove")),
        (VLLM + "▸flags.model = '/y'", ("flag of a field", "model", "remove")),
        (LLAMA + "▸flags.c = 9", ("flag of a field", "c", "context_length")),
        (LLAMA + "flags.gpu-layers = 1\n▸flags.n-gpu-layers = 2", ("flag written twice", "n-gpu-layers", "keep one")),
    ],
)
def test_a_flag_that_contradicts_is_told(text: str, fault: Fault, tmp_path: Path) -> None:
    summary, name, remedy = fault
    marked = text.replace("▸flags.", "flags.▸")
    found, wanted = compared(marked, [(summary, f"tiers.one.flags.{name}", remedy)], tmp_path)

    assert found == wanted


def test_the_number_of_gpus_may_be_a_variable(tmp_path: Path) -> None:
    number = VLLM + "gpus = { env = 'GPUS', default = 2 }\n"
    (tmp_path / "box.toml").write_text(number, "utf-8")
    service = yaml.safe_load(Generator().render(tmp_path / "box.toml").tree.files["tiers/one.yml"])["services"]["one"]

    assert service["deploy"]["resources"]["reservations"]["devices"][0]["count"] == "${GPUS:-2}"
    assert "--tensor-parallel-size=${GPUS:-2}" in service["command"]
    assert "--tensor-parallel-size=2" in command_of(tmp_path, number + "tensor_parallel = 2\n")


ALONE = VLLM.replace("▸", "") + "served_name = ▸'x'\nflags.served-model-name = false\n"


def test_a_name_that_the_engine_is_not_told_is_the_one_that_it_has(tmp_path: Path) -> None:
    found, wanted = compared(ALONE, [("conflicting values", "tiers.one.served_name", '"/models/x"')], tmp_path)

    assert found == wanted
    assert "/models/x" in command_of(tmp_path, ALONE.replace("▸'x'", "'/models/x'"))
    assert "--jinja" in command_of(tmp_path, LLAMA + "flags.alias = false\n")  # it answers to any name
