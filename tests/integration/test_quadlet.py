"""What is rendered for Podman: its own generator takes the units, and runs what Compose runs. Nothing is started."""

from __future__ import annotations

import graphlib
import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from inventories import BOX
from places import REPOSITORY
from podman_units import QUADLET, Unit, generated

from anvil_gen.deploy.pipeline import Generator
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.render.unit_reader import plain, split_words

CONFIGURATION = "ROUTER_FILE_haproxy_cfg"
EXAMPLE = REPOSITORY / "examples/lab-quad/quadlet"


@cache
def example() -> dict[str, Unit]:
    return generated(EXAMPLE)


def render(folder: Path, text: str) -> Path:
    """Return the folder of what is rendered of an inventory."""
    (folder / "hosts").mkdir(exist_ok=True)
    (folder / "hosts" / "box.toml").write_text(text, "utf-8")
    for path, content in Generator().render(folder / "hosts" / "box.toml", target="quadlet").tree.files.items():
        (folder / "units" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "units" / path).write_text(content, "utf-8")
    return folder / "units"


def value(unit: Unit, key: str) -> str:
    return next(found for _, name, found in unit if name == key)


def run_line(unit: Unit) -> list[str]:
    """Return the words of `podman run` as systemd starts it."""
    return [plain(word) for word in split_words(value(unit, "ExecStart"))]


def option(words: list[str], name: str) -> list[str]:
    return [words[at + 1] for at, word in enumerate(words) if word == name]


def literal(word: object) -> str:
    return str(word).replace("$$", "$")


def test_example_is_what_is_rendered() -> None:
    plan = Generator().render(REPOSITORY / "hosts/lab-quad.toml", target="quadlet")

    assert [change.path for change in plan.files] == []


def test_podman_makes_a_service_of_every_unit() -> None:
    units = {
        path.with_suffix("").name + {".container": "", ".volume": "-volume", ".network": "-network"}[path.suffix]
        for path in EXAMPLE.iterdir()
        if path.suffix in (".container", ".volume", ".network")
    }

    assert {name.removesuffix(".service") for name in example()} == units


def test_an_unknown_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.container").write_text("[Container]\nImage=x\nImages=y\n", "utf-8")

    with pytest.raises(AssertionError, match="unsupported key 'Images'"):
        generated(tmp_path)


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for path in (REPOSITORY / "examples/lab-quad/tiers").glob("*.yml"):
        found |= yaml.safe_load(path.read_text("utf-8"))["services"]
    found |= yaml.safe_load((REPOSITORY / "examples/lab-quad/router/compose.yml").read_text("utf-8"))["services"]
    return found


@pytest.mark.parametrize("name", services())
def test_podman_runs_what_compose_runs_word_by_word(name: str) -> None:
    service, words = services()[name], run_line(example()[f"anvil-lab-quad-{name}.service"])
    command = [literal(word) for word in service.get("command", ())]
    health = service["healthcheck"]["test"]

    image = words[len(words) - len(command) - 1]
    assert image.removeprefix("docker.io/").removeprefix("library/") == service["image"]
    assert words[len(words) - len(command) :] == command
    assert [yaml.safe_load(one) for one in option(words, "--entrypoint")] == (
        [service["entrypoint"]] if "entrypoint" in service else []
    )
    # Podman puts CMD before a list itself, and would split one that has it at its spaces.
    assert [yaml.safe_load(one) for one in option(words, "--health-cmd")] == [[literal(part) for part in health[1:]]]
    assert health[0] == "CMD"
    variables = {one.partition("=")[0]: one.partition("=")[2] for one in option(words, "--env")}
    compose = {key: literal(text) for key, text in service.get("environment", {}).items() if text is not None}
    if CONFIGURATION in compose:  # another resolver, so another file
        assert variables.pop(CONFIGURATION) != compose.pop(CONFIGURATION)
    assert variables == compose
    assert option(words, "--secret") == [
        f"{key},type=env,target={key}" for key, text in service.get("environment", {}).items() if text is None
    ]
    assert option(words, "--publish") == service.get("ports", [])


def test_the_router_asks_the_resolver_of_podmans_network() -> None:
    name = "anvil-lab-quad-router-reload.service"
    variables = dict(one.split("=", 1) for one in option(run_line(example()[name]), "--env"))
    text = (EXAMPLE / "router/haproxy.cfg").read_text("utf-8")

    assert "    parse-resolv-conf\n" in text
    assert "127.0.0.11" not in text
    assert json.loads((EXAMPLE / "router/health.json").read_text("utf-8"))[CONFIGURATION] == variables[CONFIGURATION]


def test_gpus_are_the_cdi_names_of_their_uuids() -> None:
    devices = {name: option(run_line(unit), "--device") for name, unit in example().items() if "/gpu=" in str(unit)}

    assert {name: [one[-1] for one in found] for name, found in devices.items()} == {
        "anvil-lab-quad-chat.service": ["1", "2"],
        "anvil-lab-quad-writer.service": ["3"],
        "anvil-lab-quad-embed.service": ["3"],
        "anvil-lab-quad-rerank.service": ["4"],
        "anvil-lab-quad-coder.service": ["4"],
    }
    assert devices["anvil-lab-quad-rerank.service"] == ["nvidia.com/gpu=GPU-5b1f0c7e-3a52-4d0b-9f27-1c6f2b8e4a04"]


def test_modes_are_targets_and_what_never_runs_together_stops_each_other() -> None:
    wanted = {
        name: sorted(found for _, key, found in unit if key == "WantedBy")
        for name, unit in example().items()
        if any(key == "WantedBy" for _, key, _ in unit)
    }
    both = ["anvil-lab-quad-coding.target", "anvil-lab-quad.target"]

    assert wanted["anvil-lab-quad-chat.service"] == both
    assert wanted["anvil-lab-quad-coder.service"] == ["anvil-lab-quad-coding.target"]
    assert wanted["anvil-lab-quad-rerank.service"] == ["anvil-lab-quad.target"]
    assert value(example()["anvil-lab-quad-coder.service"], "Conflicts") == "anvil-lab-quad-rerank.service"
    assert sorted(path.name for path in (EXAMPLE / "systemd").iterdir()) == both
    _check_order(example())
    # Else the one that runs would start nothing again.
    for mine, other in (both, reversed(both)):
        assert f"\nConflicts={other}\n" in (EXAMPLE / "systemd" / mine).read_text("utf-8")


def _check_order(units: dict[str, Unit]) -> None:
    """Check that of two units that stop each other one follows the other, and that there is no circle."""
    after = {name: {found for _, key, found in unit if key == "After"} for name, unit in units.items()}
    for name, unit in units.items():
        for other in [found for _, key, found in unit if key == "Conflicts"]:
            assert (other in after[name]) != (name in after[other])
    graphlib.TopologicalSorter({name: others & after.keys() for name, others in after.items()}).prepare()


def test_files_are_next_to_the_units() -> None:
    for name, unit in example().items():
        for mount in option(run_line(unit), "-v") if name.count("-") and "ExecStart" in str(unit) else ():
            source = mount.partition(":")[0]
            if source.startswith(str(EXAMPLE)):
                assert Path(source).exists(), mount


def test_systemd_takes_the_services_and_targets(tmp_path: Path) -> None:
    folder = tmp_path / "user"
    environment = {**os.environ, "QUADLET_UNIT_DIRS": str(EXAMPLE)}
    subprocess.run([str(QUADLET), "-user", str(folder)], env=environment, check=True, timeout=300, capture_output=True)
    shutil.copytree(EXAMPLE / "systemd", folder, dirs_exist_ok=True)
    podman = tmp_path / "podman"
    podman.write_text("#!/bin/sh\n", "utf-8")
    podman.chmod(0o755)
    units = [path for path in folder.iterdir() if path.suffix in (".service", ".target")]
    for path in units:
        path.write_text(path.read_text("utf-8").replace("/usr/bin/podman", str(podman)), "utf-8")
    (folder / "podman-user-wait-network-online.service").write_text("[Service]\nExecStart=/bin/true\n", "utf-8")

    command = ["systemd-analyze", "verify", "--user", "--man=no", *map(str, sorted(units))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert [line for line in done.stderr.splitlines() if str(folder) in line or "anvil-lab-quad" in line] == []


STRANGE = [
    "$HOME $X $$ $",
    "100% %h %%",
    "a 'b' \"c\" \\ d",
    "tab\tline\nend",
    "é ü \u2028 \U0001f600 \x85",
    "#x ;y",
    "{}",
]


def test_values_change_no_unit_and_systemd_puts_nothing_in(tmp_path: Path) -> None:
    lines = [f"V{at} = {to_toml(text)}" for at, text in enumerate(STRANGE)]
    folder = render(tmp_path, "\n".join([BOX, "[tiers.one.environment]", *lines]))

    words = run_line(generated(folder)["box-one.service"])
    found = {one.partition("=")[0]: one.partition("=")[2] for one in option(words, "--env")}
    assert [found[f"V{at}"] for at in range(len(STRANGE))] == STRANGE


def test_sealed_tiers_are_on_an_internal_network(tmp_path: Path) -> None:
    units = generated(render(tmp_path, BOX.replace("[paths]", '[host]\negress = "deny"\n[paths]')))

    assert "--internal" in run_line(units["box-internal-network.service"])
    assert option(run_line(units["box-one.service"]), "--network") == ["box-internal"]
    assert set(option(run_line(units["box-router.service"]), "--network")) == {"box", "box-internal"}


def test_selinux_runs_containers_without_labels(tmp_path: Path) -> None:
    units = generated(render(tmp_path, BOX.replace("[paths]", "[host]\nselinux = true\n[paths]")))

    assert "label=disable" in option(run_line(units["box-one.service"]), "--security-opt")


def test_options_of_security_and_devices_are_podmans(tmp_path: Path) -> None:
    more = 'security_opt = ["seccomp=unconfined"]\ndevices = ["/dev/fuse:/dev/x:rw"]\n[router]'
    words = run_line(generated(render(tmp_path, BOX.replace("[router]", more)))["box-one.service"])

    assert "--security-opt=seccomp=unconfined" in words
    assert "/dev/fuse:/dev/x:rw" in option(words, "--device")


def test_limits_are_podmans(tmp_path: Path) -> None:
    limits = "[tiers.one.override]\nulimits = { memlock = -1, nofile = { soft = 1024, hard = 4096 } }\n"
    words = run_line(generated(render(tmp_path, f"{BOX}\n{limits}"))["box-one.service"])

    assert option(words, "--ulimit") == ["memlock=-1:-1", "nofile=1024:4096"]


ERRORS: list[tuple[str, str]] = [
    ('[services.ui]\nimage = "x"\n', "services"),
    ("[monitoring]\n", "monitoring"),
    ("[tiers.one.override]\nsysctls = { a = 1 }\n", "tiers.one.override.sysctls"),
    ('[tiers.one.flags]\nseed = { env = "SEED", default = "1" }\n', "tiers.one.flags.seed"),
]


@pytest.mark.parametrize(("more", "address"), ERRORS, ids=[one[1] for one in ERRORS])
def test_what_cannot_be_said_is_an_error_with_its_line(tmp_path: Path, more: str, address: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        render(tmp_path, f"{BOX}\n{more}")

    (found,) = caught.value.diagnostics
    assert (found.code, found.address) == ("not-for-this-target", address)
    assert render(tmp_path, f'{BOX}\n{more}\n[quadlet]\nwithout = ["{address}"]\n')


def test_a_flag_is_one_changed_line(tmp_path: Path) -> None:
    before = (render(tmp_path, BOX) / "box-one.container").read_text("utf-8")
    after = (render(tmp_path, BOX.replace("[router]", "max_sequences = 8\n[router]")) / "box-one.container").read_text(
        "utf-8"
    )

    assert set(after.splitlines()) ^ set(before.splitlines()) == {"  --max-num-seqs=8 \\"}


def to_toml(text: str) -> str:
    return '"' + "".join(f"\\U{ord(char):08x}" for char in text) + '"'
