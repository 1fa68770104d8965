"""Run lines as services: every spelling of an option, what is quoted, and what a shell would do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.importing.run_lines import looks_like_run_lines, read_run_lines


def services(text: str) -> dict[str, Any]:
    return read_run_lines(text, "run.sh", Path(), "nvidia").tables["services"]


def service(options: str) -> dict[str, Any]:
    (found,) = services(f"docker run {options} img:1").values()
    return {key: value for key, value in found.items() if key != "image"}


def device(**keys: Any) -> dict[str, Any]:
    one = {"driver": "nvidia", **keys, "capabilities": ["gpu"]}
    return {"deploy": {"resources": {"reservations": {"devices": [one]}}}}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--gpus all", device(count="all")),
        ("--gpus=2", device(count=2)),
        ("--gpus device=1", device(device_ids=["1"])),
        ("""--gpus '"device=1,2"'""", device(device_ids=["1", "2"])),
        ("""--gpus "\\"device=GPU-1\\"" """, device(device_ids=["GPU-1"])),
        ("--ipc host", {"ipc": "host"}),
        ("--ipc=host", {"ipc": "host"}),
        ("--net=host", {"network_mode": "host"}),
        ("--network lan --network-alias llm", {"networks": {"lan": {"aliases": ["llm"]}}}),
        ("-e K=V -eA=B --env C", {"environment": {"K": "V", "A": "B", "C": None}}),
        ("-e 'P=a b$c'", {"environment": {"P": "a b$$c"}}),
        ('-e "P=$HOME/x"', {"environment": {"P": "${HOME}/x"}}),
        ("-p 8000:8000 -p127.0.0.1:9:9/udp", {"ports": ["8000:8000", "127.0.0.1:9:9/udp"]}),
        ("-itd --rm", {"stdin_open": True, "tty": True}),
        (
            "--mount type=bind,src=/a,dst=/b,readonly",
            {"volumes": [{"type": "bind", "source": "/a", "target": "/b", "read_only": True}]},
        ),
        ("-v $(pwd)/m:/m -v `pwd`:/w", {"volumes": ["./m:/m", ".:/w"]}),
        ("--ulimit memlock=-1 --ulimit nofile=1:2", {"ulimits": {"memlock": -1, "nofile": {"soft": 1, "hard": 2}}}),
        ("--shm-size=16g --restart unless-stopped", {"shm_size": "16g", "restart": "unless-stopped"}),
        ("--health-cmd 'c x' --health-retries 3", {"healthcheck": {"test": ["CMD-SHELL", "c x"], "retries": "3"}}),
        ("--log-driver local --log-opt max-size=1m", {"logging": {"driver": "local", "options": {"max-size": "1m"}}}),
        ("--entrypoint bash", {"entrypoint": ["bash"]}),
        ("--stop-timeout 30 --init", {"stop_grace_period": "30s", "init": True}),
    ],
)  # fmt: skip
def test_an_option_is_a_key_of_compose(options: str, expected: dict[str, Any]) -> None:
    assert service(options) == expected


def test_lines_are_continued_and_commented() -> None:
    found = services("""
# the chat model
sudo docker run -d \\
  --name chat \\
  # its port
  -p 80:80 \\

  vllm/vllm-openai:v0.11.2 \\
  --model org/m "--quoted arg"
""")

    assert found == {
        "chat": {
            "image": "vllm/vllm-openai:v0.11.2",
            "container_name": "chat",
            "ports": ["80:80"],
            "command": ["--model", "org/m", "--quoted arg"],
        }
    }


def test_a_variable_that_a_line_sets_is_its_default() -> None:
    found = services('model=org/m\nexport VOL=$PWD/data\ndocker run -v $VOL:/data tgi --model-id "$model" $EXTRA\n')

    assert found["tgi"]["volumes"] == ["${VOL:-./data}:/data"]
    assert found["tgi"]["command"] == '--model-id "${model:-org/m}" ${EXTRA}'


def test_what_a_shell_runs_in_the_container_stays_one_word() -> None:
    found = services("podman run -it img bash -c 'a && b; c'")

    assert found["img"]["command"] == ["bash", "-c", "a && b; c"]


def test_what_no_compose_file_says_is_named() -> None:
    project = read_run_lines("docker run -P --cidfile x img | tee log\n", "run.sh", Path(), "nvidia")

    assert [text.partition(":")[2].strip()[:15] for text in project.lost] == [
        "--publish-all: ",
        "--cidfile: Comp",
        "what follows on",
    ]


@pytest.mark.parametrize("text", ["echo hello\n", "docker run -d\n", "docker run --ulimit\n"])
def test_what_is_no_run_line_is_reported(text: str) -> None:
    with pytest.raises(DiagnosticError):
        services(text)


def test_run_lines_are_known_by_their_look() -> None:
    assert looks_like_run_lines("  sudo docker run -d x\n")
    assert looks_like_run_lines("HF_TOKEN=x podman run x\n")
    assert not looks_like_run_lines("services:\n  a: {image: docker}\n")
