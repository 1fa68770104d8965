"""What `init` generates for made-up hosts, by the real copier."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from bare_machines import CASES, JETSON_UUID, PRO6000, RTX5090, docker, inventory_of, laid, look, machine
from fake_machine import nvidia
from msgspec.structs import replace
from onboarding import TemplateRepository, commit_all, files, git, make

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.deploy.pipeline import Generator
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.onboard.copier_answers import answers_of
from anvil_gen.onboard.prerequisites import missing_prerequisites
from anvil_gen.onboard.scaffold import AbortedError, scaffold
from anvil_gen.onboard.template_source import Source


@pytest.mark.parametrize("name", CASES)
def test_a_machine_gets_an_inventory_that_runs_on_it(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    at = case.at(tmp_path / "root")
    found = look(at)
    made = laid(tmp_path / "fleet", answers_of(found))
    inventory = inventory_of(made)
    rendered = Generator().render(made.inventory)

    assert made.machine == "my-box"
    assert made.answers["preset"] == case.preset
    assert {card: table.get("memory_mib") for card, table in inventory.get("gpus", {}).items()} == case.cards
    assert [lack.summary for lack in missing_prerequisites(found, Catalog(), at)] == case.lacks
    assert set(tomllib.loads(made.inventory.read_text("utf-8"))["tiers"]) <= {
        path.removeprefix("tiers/").removesuffix(".yml") for path in rendered.tree.files
    }


def test_wsl2_is_told_by_the_engine(tmp_path: Path) -> None:
    made = laid(tmp_path / "fleet", answers_of(look(CASES["WSL2"].at(tmp_path / "root"))))

    assert inventory_of(made)["host"] == {"platform": "wsl2"}


def test_shared_memory_keeps_a_part_for_the_machine(tmp_path: Path) -> None:
    inventory = inventory_of(laid(tmp_path / "fleet", answers_of(look(CASES["DGX Spark"].at(tmp_path / "root")))))
    card, tier = inventory["gpus"]["gb10"], inventory["tiers"]["chat"]

    assert card["reserve_mib"] == card["memory_mib"] // 10
    assert tier["model"] == {"repo": "openai/gpt-oss-120b"}
    assert tier["gpu_memory_utilization"] * card["memory_mib"] <= card["memory_mib"] - card["reserve_mib"]


@pytest.mark.parametrize("name", ["DGX Spark", "Jetson"])
@pytest.mark.parametrize("preset", ["chat", "embed-rerank", "chat-ui", "cpu-demo"])
def test_each_preset_has_images_for_the_processor(name: str, preset: str, tmp_path: Path) -> None:
    made = laid(tmp_path / "fleet", answers_of(look(CASES[name].at(tmp_path / "root"))), preset=preset)
    tiers = Generator().render(made.inventory).host.stack.tiers
    images = {str(tier.service.image).rpartition(":")[2] for tier in tiers if tier.engine == "tei"}

    assert inventory_of(made)["host"]["architecture"] == "arm64"
    assert images <= ({"121-1.9.4", "cpu-arm64-1.9.4"} if name == "DGX Spark" else {"cpu-arm64-1.9.4"})


def test_a_jetson_asks_by_its_runtime_and_its_own_form_of_uuid(tmp_path: Path) -> None:
    made = laid(tmp_path / "fleet", answers_of(look(CASES["Jetson"].at(tmp_path / "root"))))
    plan = Generator().render(made.inventory)
    service = plan.tree.data["tiers/chat.yml"]["services"]["chat"]

    assert inventory_of(made)["host"] == {"architecture": "arm64", "gpu_request": "runtime"}
    assert inventory_of(made)["gpus"]["orin"]["uuid"] == JETSON_UUID
    assert (service["runtime"], "deploy" in service) == ("nvidia", False)
    assert service["environment"]["NVIDIA_VISIBLE_DEVICES"] == JETSON_UUID
    assert plan.host.warnings == ()


@pytest.mark.parametrize(
    ("info", "keys"),
    [
        ({"SecurityOptions": ["name=seccomp", "name=selinux"]}, {"selinux": True}),
        (
            {"DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=all"}], "Runtimes": {"runc": {}}},
            {"gpu_request": "cdi"},
        ),
        ({"SecurityOptions": ["name=rootless"]}, {}),
    ],
)
def test_what_a_host_needs_is_written_into_its_inventory(
    info: dict[str, Any], keys: dict[str, Any], tmp_path: Path
) -> None:
    at = machine(tmp_path / "root", run=nvidia(RTX5090), engine=docker(more=info))

    assert inventory_of(laid(tmp_path / "fleet", answers_of(look(at)))).get("host", {}) == keys


def test_the_processor_and_the_address_are_found(tmp_path: Path) -> None:
    at = machine(tmp_path / "root", engine=docker(architecture="aarch64"), address="192.168.1.20")
    answers = answers_of(look(at))
    alone = inventory_of(laid(tmp_path / "alone", answers))
    known = {**answers.known, "lan": "true"}
    reached = inventory_of(laid(tmp_path / "reached", replace(answers, known=known)))

    assert alone["host"] == {"architecture": "arm64"}
    assert "bind" not in alone["router"]
    assert reached["host"] == {"architecture": "arm64", "address": "192.168.1.20"}
    assert (reached["router"]["bind"], reached["router"]["api_key_env"]) == ("0.0.0.0", "ROUTER_TOKEN")
    with pytest.raises(DiagnosticError, match="invalid answer"):
        laid(tmp_path / "open", replace(answers, known={**known, "api_key_env": ""}))


def test_what_is_there_is_used(tmp_path: Path) -> None:
    models = {"srv/models/small.gguf": "x" * 100, "srv/models/qwen/config.json": "{}"}
    models |= {"srv/models/qwen/a.safetensors": "x" * 50, "srv/models/big/b-00001-of-00002.gguf": "x" * 300}
    models |= {"srv/models/big/b-00002-of-00002.gguf": "x" * 300, "srv/models/mmproj-x.gguf": "x" * 999}
    at = machine(tmp_path / "root", engine=docker(volumes="pgdata\nvllm-hfcache\n"), files=models)
    found = look(at)
    made = laid(tmp_path / "fleet", answers_of(found))

    assert found.models is not None
    assert [(model.name, model.size) for model in found.models.models] == [
        ("big/b-00001-of-00002.gguf", 600),
        ("small.gguf", 100),
        ("qwen", 50),
    ]
    assert inventory_of(made)["tiers"]["chat"]["model"] == {"file": "big/b-00001-of-00002.gguf"}
    assert made.answers["hfcache"] == "vllm-hfcache"


def test_the_hubs_folder_is_used_where_there_is_no_volume(tmp_path: Path) -> None:
    cached = {"home/me/.cache/huggingface/hub/models--a--b/refs/main": "x"}
    at = machine(tmp_path / "root", engine=docker(), files=cached)
    made = laid(tmp_path / "fleet", answers_of(look(at)))

    assert inventory_of(made)["hfcache"] == {"path": (tmp_path / "root/home/me/.cache/huggingface").as_posix()}


def test_ports_that_are_taken_are_left_alone(tmp_path: Path) -> None:
    at = machine(tmp_path / "root", run=nvidia(RTX5090, PRO6000))
    busy = replace(at, taken=lambda _, port: port in (8000, 8001, 30001))
    inventory = inventory_of(laid(tmp_path / "fleet", answers_of(look(busy))))

    assert inventory["router"]["port"] == 8002
    assert [tier["port"] for tier in inventory["tiers"].values()] == [30002, 30003]


def test_a_context_is_written_down(tmp_path: Path) -> None:
    found = look(machine(tmp_path / "root", engine=docker()))
    made = laid(tmp_path / "fleet", answers_of(found, context="box-over-ssh"))

    assert inventory_of(made)["host"] == {"docker_context": "box-over-ssh"}


def test_later_updates_find_the_repository_and_the_version(tmp_path: Path) -> None:
    made = laid(tmp_path / "fleet", answers_of(look(machine(tmp_path / "root"))))
    answers = (made.folder / ".copier-answers.my-box.yml").read_text("utf-8")

    assert answers.startswith("# What copier asked")
    assert "_commit: v0.1.0\n_src_path: git+https://git.example/anvil-gen\n" in answers
    assert str(tmp_path) not in answers
    pin = (made.folder / "requirements.txt").read_text("utf-8")
    assert pin == "anvil-gen @ git+https://git.example/anvil-gen@v0.1.0\n"


def test_a_second_machine_joins_and_keeps_the_rest(tmp_path: Path) -> None:
    answers = answers_of(look(machine(tmp_path / "root")))
    first = laid(tmp_path / "fleet", answers)
    second = laid(tmp_path / "fleet", answers, machine="second")

    assert second.written == (".copier-answers.second.yml", "hosts/second.toml")
    assert set(second.kept) == set(first.written) - {".copier-answers.my-box.yml", "hosts/my-box.toml"}


def test_links_are_kept_also_those_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "fleet").mkdir()
    (tmp_path / "fleet/README.md").symlink_to("nowhere")
    made = laid(tmp_path / "fleet", answers_of(look(machine(tmp_path / "root"))))

    assert made.kept == ("README.md",)
    assert (tmp_path / "fleet/README.md").readlink() == Path("nowhere")


def test_the_same_machine_again_is_refused(tmp_path: Path) -> None:
    answers = answers_of(look(machine(tmp_path / "root")))
    laid(tmp_path / "fleet", answers)
    with pytest.raises(DiagnosticError) as caught:
        laid(tmp_path / "fleet", answers)

    assert [diagnostic.summary for diagnostic in caught.value.diagnostics] == ["host is already in the fleet"]


def test_an_answer_that_cannot_be_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError) as caught:
        laid(tmp_path / "fleet", answers_of(look(machine(tmp_path / "root"))), machine="My Box")

    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.summary == "invalid answer"
    assert diagnostic.detail.startswith("machine: a host name has lower-case letters")
    assert not (tmp_path / "fleet").exists()


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    answers = answers_of(look(machine(tmp_path / "root")))
    folder = tmp_path / "fleet"
    folder.mkdir()
    (folder / "systemd").write_text("a file where a folder belongs", "utf-8")
    with pytest.raises(OSError, match="systemd"):
        laid(folder, answers)

    assert [path.name for path in folder.iterdir()] == ["systemd"]


def test_an_update_takes_over_a_later_version(tmp_path: Path) -> None:
    template = TemplateRepository(tmp_path / "template")
    answers = answers_of(look(CASES["one card"].at(tmp_path / "root")))
    source = Source(url=str(template.folder), ref="v0.1.0")
    made = scaffold(tmp_path / "fleet", answers, source, ask=False, check=Generator().render)
    git(made.folder, "init", "--quiet")
    (made.folder / "requirements.txt").write_text("anvil-gen==0.2.0\n", "utf-8")
    commit_all(made.folder)
    before = files(made.folder)
    template.edit("README.md.jinja", "# The fleet", "# The fleet of v0.2.0")
    template.release("v0.2.0")
    done = make(made.folder, "update")
    after = files(made.folder)

    assert done.code == 0, done.stderr
    assert {path for path in before if after[path] != before[path]} == {"README.md", ".copier-answers.my-box.yml"}
    assert "_commit: v0.2.0\n" in after[".copier-answers.my-box.yml"]


def test_a_run_that_was_killed_can_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = answers_of(look(machine(tmp_path / "root")))
    whole = laid(tmp_path / "whole", answers)
    placed: list[Path] = []
    write = Path.write_bytes

    def write_some(path: Path, data: bytes) -> int:
        if path.is_relative_to(tmp_path / "fleet"):
            placed.append(path)
            if len(placed) > 5:
                write(path, data[: len(data) // 2])
                os._exit(9)
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", write_some)
    process = os.fork()
    if process == 0:
        laid(tmp_path / "fleet", answers)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 9
    monkeypatch.undo()
    laid(tmp_path / "fleet", answers)

    assert files(tmp_path / "fleet") == files(whole.folder)


def test_an_interrupt_while_writing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = answers_of(look(machine(tmp_path / "root")))
    write = Path.write_bytes

    def interrupted(path: Path, data: bytes) -> int:
        if "renovate.json" in path.name and path.is_relative_to(tmp_path / "fleet"):
            raise KeyboardInterrupt
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    with pytest.raises(AbortedError):
        laid(tmp_path / "fleet", answers)

    assert not (tmp_path / "fleet").exists()


@pytest.mark.parametrize("place", ["hosts", "systemd", "hosts/.my-box.toml.unfinished", "hosts/my-box.toml"])
def test_no_link_of_a_cloned_fleet_is_followed(tmp_path: Path, place: str) -> None:
    folder, outside = tmp_path / "fleet", tmp_path / "outside"
    outside.mkdir()
    (outside / "mine").write_text("mine")
    (folder / place).parent.mkdir(parents=True)
    (folder / place).symlink_to(outside / "mine" if "." in place else outside)
    try:
        laid(folder, answers_of(look(machine(tmp_path / "root"))))
    except OSError as error:
        assert "leads out of" in str(error)  # noqa: PT017  one of them is harmless by now
    except DiagnosticError as error:
        assert [one.summary for one in error.diagnostics] == ["host is already in the fleet"]  # noqa: PT017

    assert [path.name for path in outside.iterdir()] == ["mine"]
    assert (outside / "mine").read_text() == "mine"
