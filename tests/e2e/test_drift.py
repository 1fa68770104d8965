"""What runs is what is rendered: a change reaches exactly what it is about, and `status` tells what is behind."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from e2e.box import Box
from e2e.engine import Engine

SLEEP = ["/bin/sleep", "600"]
IMAGE = "ghcr.io/ggml-org/llama.cpp:server"


def two_tiers(box: Box, image: str = IMAGE) -> dict[str, Any]:
    """Return an inventory of two tiers that only sleep."""
    return {
        "schema": 1,
        "host": {"project": box.project},
        "tiers": {
            name: {
                "engine": "custom",
                "image": image,
                "port": box.port(name),
                "container_name": box.name(name),
                "entrypoint": SLEEP,
                "environment": {"LEVEL": "1"},
                "stop_grace_period": "1s",
            }
            for name in ("one", "two")
        },
    }


def life(box: Box, *names: str) -> dict[str, tuple[str, str]]:
    """Return the id and the start time of containers."""
    found = {name: box.container(name) for name in names}
    return {name: (said["Id"], said["State"]["StartedAt"]) for name, said in found.items()}


def answer(box: Box, *arguments: str, code: int = 0) -> dict[str, Any]:
    """Return the JSON answer of a verb."""
    done = box.anvil_gen(*arguments, "--json", check=False)
    assert done.code == code, done.stdout + done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def actions(said: dict[str, Any]) -> dict[str, str]:
    """Return what `up` did, by service."""
    return {service["service"]: service["action"] for service in said["services"]}


def drifts(said: dict[str, Any]) -> dict[str, list[str]]:
    """Return the kinds of drift that `status` found, by service."""
    return {row["service"]: [drift["kind"] for drift in row["drift"]] for row in said["services"]}


def test_a_change_recreates_its_tier_and_no_other(box: Box) -> None:
    inventory = two_tiers(box)
    box.render(inventory)
    assert actions(answer(box, "up", "box")) == {"one": "created", "two": "created"}
    before = life(box, "one", "two")

    inventory["tiers"]["two"]["environment"]["LEVEL"] = "2"
    box.render(inventory)
    assert drifts(answer(box, "status", "box", code=2)) == {"one": [], "two": ["config"]}
    said = answer(box, "up", "box")

    assert actions(said) == {"one": "unchanged", "two": "recreated"}
    (change,) = said["services"][1]["changes"]
    assert (change["address"], change["reason"]) == (
        ["services", "two", "environment", "LEVEL"],
        "environment.LEVEL changed",
    )
    after = life(box, "one", "two")
    assert after["one"] == before["one"]
    assert after["two"][0] != before["two"][0]
    assert "LEVEL=2" in box.container("two")["Config"]["Env"]
    assert drifts(answer(box, "status", "box")) == {"one": [], "two": []}


def test_nothing_is_touched_where_nothing_changed(box: Box) -> None:
    box.render(two_tiers(box))
    box.anvil_gen("up", "box")
    before = life(box, "one", "two")

    assert actions(answer(box, "up", "box")) == {"one": "unchanged", "two": "unchanged"}
    assert life(box, "one", "two") == before


def test_a_stopped_container_does_not_replay_its_old_configuration(box: Box) -> None:
    inventory = two_tiers(box)
    box.render(inventory)
    box.anvil_gen("up", "box")
    box.compose("stop", "two")
    inventory["tiers"]["two"]["entrypoint"] = ["/bin/sleep", "700"]
    box.render(inventory)

    assert actions(answer(box, "up", "box", "two")) == {"two": "recreated"}
    assert box.container("two")["State"]["Running"]
    assert [box.container("two")["Path"], *box.container("two")["Args"]] == ["/bin/sleep", "700"]


def test_a_changed_file_recreates_what_mounts_it(box: Box) -> None:
    inventory = two_tiers(box)
    inventory["tiers"]["two"]["files"] = {"/etc/level": "level"}
    (box.folder / "hosts").mkdir()
    (box.folder / "hosts" / "level").write_text("1")
    box.render(inventory)
    box.anvil_gen("up", "box")
    (box.folder / "hosts" / "level").write_text("2")
    box.render(inventory)
    said = answer(box, "up", "box")

    assert actions(said) == {"one": "unchanged", "two": "recreated"}
    assert [change["reason"] for change in said["services"][1]["changes"]] == ["etc/level changed"]
    assert box.engine.docker("exec", box.name("two"), "cat", "/etc/level") == "2"


def test_a_tree_that_is_not_what_the_inventory_renders_is_refused(box: Box) -> None:
    inventory = two_tiers(box)
    box.render(inventory)
    inventory["tiers"]["one"]["environment"]["LEVEL"] = "3"
    box.write(inventory)
    refused = box.anvil_gen("up", "box", check=False)

    assert (refused.code, refused.stdout) == (1, "")
    assert "    anvil-gen render hosts/box.toml\n" in refused.stderr
    assert box.compose("ps", "--all", "--quiet").stdout == ""
    box.anvil_gen("up", "box", "--render")
    assert "LEVEL=3" in box.container("one")["Config"]["Env"]


def test_status_shows_what_runs_where_files_are_spoilt(box: Box) -> None:
    box.render(two_tiers(box))
    box.anvil_gen("up", "box")
    (box.tree / "tiers" / "two.yml").write_text("services: [\n")
    said = answer(box, "status", "box", code=2)

    assert [row["state"] for row in said["services"]] == ["running", "running"]
    assert (said["stale"]["detail"], "--render" in said["stale"]["remedy"]) == ("different: tiers/two.yml", False)


def test_another_version_alone_is_a_warning(box: Box) -> None:
    box.render(two_tiers(box))
    state = box.tree / ".anvil-gen" / "state.json"
    said = json.loads(state.read_text("utf-8"))
    root = box.tree / "docker-compose.yml"
    root.write_text(root.read_text("utf-8") + "\n# as an older version had it\n", "utf-8")
    said["files"]["docker-compose.yml"] = hashlib.sha256(root.read_bytes()).hexdigest()
    said["version"] = "0.0.1"
    state.write_text(json.dumps(said), "utf-8")
    done = box.anvil_gen("up", "box")

    assert done.stderr.startswith("warning: files were rendered by another version of anvil-gen\n")
    assert box.container("one")["State"]["Running"]
    box.write(two_tiers(box) | {"services": {box.name("more"): {"image": IMAGE, "entrypoint": SLEEP}}})
    assert box.anvil_gen("up", "box", check=False).code == 1


def test_a_container_in_the_way_is_named(box: Box) -> None:
    box.render(two_tiers(box))
    box.engine.docker("run", "--detach", "--name", box.name("one"), "--entrypoint", "/bin/sleep", IMAGE, "600")

    (drift,) = answer(box, "status", "box", code=2)["services"][0]["drift"]
    assert drift["kind"] == "foreign"
    assert drift["remedy"] == f"docker rm --force {box.name('one')} && anvil-gen up box one"
    box.engine.run("sh", "-c", drift["remedy"].replace("anvil-gen", "true"))
    assert actions(answer(box, "up", "box", "one")) == {"one": "created"}


def test_a_port_that_something_else_holds_is_told(box: Box) -> None:
    box.render(two_tiers(box))
    port = box.port("two")
    other = ["--publish", f"127.0.0.1:{port}:{port}", "--entrypoint", "/bin/sleep", IMAGE, "600"]
    box.engine.docker("run", "--detach", "--name", box.name("other"), *other)

    row = answer(box, "status", "box", code=2)["services"][1]
    assert [(drift["kind"], drift["detail"]) for drift in row["drift"]] == [
        ("port", f"port {port} is in use by the container {box.name('other')}, created without Compose")
    ]


def test_a_service_that_the_inventory_no_longer_knows_is_told(box: Box) -> None:
    inventory = two_tiers(box)
    box.render(inventory)
    box.anvil_gen("up", "box")
    del inventory["tiers"]["two"]
    box.render(inventory)

    assert drifts(answer(box, "status", "box", code=2)) == {"one": [], "two": ["unknown"]}
    box.anvil_gen("up", "box", "--mode", "default")
    assert drifts(answer(box, "status", "box")) == {"one": []}


def test_a_service_with_a_profile_or_a_range_of_ports_is_held_against_the_files(box: Box) -> None:
    inventory = two_tiers(box)
    inventory["tiers"]["two"]["override"] = {"profiles": ["extra"]}
    port = box.port("more")
    more = {
        "image": IMAGE,
        "entrypoint": SLEEP,
        "ports": [f"127.0.0.1:{port}-{port + 5}:80"],
        "stop_grace_period": "1s",
    }
    inventory["services"] = {"more": more}
    box.render(inventory)
    box.anvil_gen("up", "box", "one", "two", "more")
    said = answer(box, "status", "box")

    assert drifts(said) == {"one": [], "two": [], "more": []}
    (address,) = said["services"][2]["ports"]
    assert port <= int(address.removeprefix("127.0.0.1:")) <= port + 5
    inventory["tiers"]["two"]["environment"]["LEVEL"] = "2"
    box.render(inventory)
    assert drifts(answer(box, "status", "box", code=2)) == {"one": [], "two": ["config"], "more": []}


def test_a_tier_that_runs_and_is_not_rendered_any_more_is_told(box: Box) -> None:
    inventory = two_tiers(box)
    box.render(inventory)
    box.anvil_gen("up", "box")
    box.render(inventory | {"tiers": {"one": inventory["tiers"]["one"]}})
    box.write(inventory)
    said = answer(box, "status", "box", code=2)

    assert drifts(said) == {"one": [], "two": ["config"]}
    assert said["stale"]["code"] == "files-do-not-match-the-inventory"


def test_values_of_variables_are_never_shown(box: Box) -> None:
    secret = {"env": "SECRET"}
    service = {"image": IMAGE, "entrypoint": SLEEP, "command": ["600", "--x", secret], "labels": {"x": secret}}
    service |= {"environment": {"X": secret}, "stop_grace_period": "1s"}
    box.render(two_tiers(box) | {"services": {"more": service}})
    shown = ""
    for value in ("first-value", "second-value", "third-value"):
        box.environment["SECRET"] = value
        for verb in (["status"], ["status", "--json"], ["up"]):
            done = box.anvil_gen(verb[0], "box", *verb[1:], check=False)
            shown += done.stdout + done.stderr
    box.environment["SECRET"] = "last-value"
    shown += box.anvil_gen("up", "box", "--json").stdout

    assert "labels.x changed" in shown
    assert "-value" not in shown


def import_small_image(engine: Engine, folder: Path, image: str, content: str) -> str:
    """Import an image that can only sleep, and return its id; a small one, since it goes through a registry."""
    listed = subprocess.run(["ldd", "/bin/sleep"], capture_output=True, text=True, check=True, timeout=120).stdout
    (folder / "content").write_text(content)
    with tarfile.open(folder / "small.tar", "w", dereference=True) as archive:
        archive.add(folder / "content", "content")
        for file in ("/bin/sleep", *re.findall(r"/\S+", listed)):
            archive.add(file)
    return engine.docker("import", str(folder / "small.tar"), image)


def test_a_moved_tag_is_seen_and_followed(box: Box, engine: Engine, registry: str) -> None:
    image = f"{registry}/{box.name('moving')}:latest"
    old = import_small_image(engine, box.folder, image, "1")
    engine.docker("push", image)
    box.render(two_tiers(box, image))
    box.anvil_gen("up", "box")

    new = import_small_image(engine, box.folder, image, "2")
    engine.docker("push", image)
    engine.docker("tag", old, image)  # somebody else has pushed: this machine does not know yet
    assert actions(answer(box, "up", "box")) == {"one": "unchanged", "two": "unchanged"}
    said = answer(box, "up", "box", "one", "--pull")
    assert actions(said) == {"one": "recreated"}
    assert said["services"][0]["reason"] == f"{image} points to another image now"
    assert box.container("one")["Image"] == new
    assert drifts(answer(box, "status", "box", code=2)) == {"one": [], "two": ["image"]}


def test_a_pinned_image_stays_where_its_tag_moves(box: Box, engine: Engine, registry: str) -> None:
    image = f"{registry}/{box.name('pinned')}:v1.0.0"
    old = import_small_image(engine, box.folder, image, "1")
    engine.docker("push", image)
    inventory = two_tiers(box, image)
    box.write(inventory)
    box.anvil_gen("pin", "box")
    box.render(inventory)
    box.anvil_gen("up", "box")
    new = import_small_image(engine, box.folder, image, "2")
    engine.docker("push", image)

    assert actions(answer(box, "up", "box", "--pull")) == {"one": "unchanged", "two": "unchanged"}
    assert box.container("one")["Image"] == old
    assert drifts(answer(box, "status", "box")) == {"one": [], "two": []}
    assert box.anvil_gen("outdated", "box", check=False).code == 2
    box.anvil_gen("pin", "box", "--update", "one")
    box.render(inventory)
    assert actions(answer(box, "up", "box")) == {"one": "recreated", "two": "recreated"}
    assert box.container("one")["Image"] == new


def test_volumes_and_their_weights_outlive_down(box: Box) -> None:
    inventory = box.adapted("fakoli-dark")
    box.environment["ANVIL_ROUTER_TOKEN"] = "a key"
    box.engine.docker("volume", "create", box.name("hfcache"))
    box.render(inventory)
    box.anvil_gen("up", "box", "fast")
    volumes = box.engine.docker("volume", "ls", "--quiet", "--filter", f"name={box.prefix}").split()
    assert len(volumes) > 1
    box.anvil_gen("down", "box")

    assert box.compose("ps", "--all", "--quiet").stdout == ""
    assert box.engine.docker("volume", "ls", "--quiet", "--filter", f"name={box.prefix}").split() == volumes


@pytest.mark.parametrize("verb", ["up", "status", "down", "restart", "logs"])
def test_without_a_daemon_there_is_one_clear_line(box: Box, verb: str) -> None:
    box.render(two_tiers(box))
    box.environment["DOCKER_HOST"] = f"unix://{box.folder}/nobody.sock"
    done = box.anvil_gen(verb, "box", check=False)

    assert done.code == 1
    assert done.stderr.startswith("error: Docker does not answer\n"), done.stderr
    assert done.stderr.count("error") == 1
