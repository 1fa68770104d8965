"""What differs between two sets of compose files: base, change, expected."""

from __future__ import annotations

from typing import Any

import pytest

from anvil_gen.deploy.compose_diff import Action, Change, compare, recreated, without_reloader

SELF: dict[str, Any] = {"image": "a"}
SELF["x"] = SELF

# name -> (the service before, the service after, (action, address below the service, before, after)...)
SERVICE_CASES: dict[str, tuple[Any, Any, list[tuple[str, str, Any, Any]]]] = {
    "the same": ({"image": "a"}, {"image": "a"}, []),
    "a flag's value": (
        {"command": ["serve", "/m", "--max-model-len=65536", "--port=1"]},
        {"command": ["serve", "/m", "--max-model-len=32768", "--port=1"]},
        [("~", "command/--max-model-len", "65536", "32768")],
    ),
    "a flag's value after a space": (
        {"command": ["--ctx-size", "65536", "-ngl", "9"]},
        {"command": ["--ctx-size", "32768", "-ngl", "9"]},
        [("~", "command/--ctx-size", "65536", "32768")],
    ),
    "a bare flag": ({"command": ["--a"]}, {"command": ["--a", "--b"]}, [("+", "command/--b", None, True)]),
    "an empty value is no bare flag": ({"command": ["--a="]}, {"command": ["--a"]}, [("~", "command/--a", "", True)]),
    "flags in another order": ({"command": ["--a=1", "--b"]}, {"command": ["--b", "--a=1"]}, []),
    "a list behind one flag": (
        {"command": ["--name", "a", "b", "--x"]},
        {"command": ["--name", "a", "c", "--x"]},
        [("~", "command/--name", "a b", "a c")],
    ),
    "the first of a repeated flag": (
        {"command": ["--lora=a", "--lora=b"]},
        {"command": ["--lora=z", "--lora=b"]},
        [("~", "command/--lora", "a b", "z b")],
    ),
    "a positional argument": (
        {"command": ["serve", "/m"]},
        {"command": ["serve", "/n"]},
        [("~", "command/argument 2", "/m", "/n")],
    ),
    "a command in string form": (
        {"command": 'serve --name="a b"'},
        {"command": 'serve --name="a c"'},
        [("~", "command/--name", "a b", "a c")],
    ),
    "a variable that loses its value": (
        {"environment": {"A": "1"}},
        {"environment": {"A": None}},
        [("~", "environment/A", "1", None)],
    ),
    "a variable that is only named": (
        {"environment": {"A": None, "B": "1"}},
        {"environment": {"B": "1"}},
        [("-", "environment/A", None, None)],
    ),
    "ports": (
        {"ports": ["127.0.0.1:1:1"]},
        {"ports": ["127.0.0.1:2:2"]},
        [("~", "ports", "127.0.0.1:1:1", "127.0.0.1:2:2")],
    ),
    "mounts by their target": (
        {"volumes": [{"source": "/a", "target": "/t"}, {"source": "/b", "target": "/u"}]},
        {"volumes": [{"source": "/b", "target": "/u"}, {"source": "/c", "target": "/t"}]},
        [("~", "volumes//t", "/a", "/c")],
    ),
    "all of a mount is one value": (
        {"volumes": [{"type": "bind", "source": "/a", "target": "/t", "bind": {"create_host_path": False}}]},
        {"volumes": [{"type": "volume", "source": "a/b", "target": "/t", "read_only": True, "volume": {"nocopy": 1}}]},
        [("~", "volumes//t", "/a", "a/b (read-only, type: volume, volume: {'nocopy': 1})")],
    ),
    "a mount that becomes writable": (
        {"volumes": [{"type": "volume", "source": "hub", "target": "/t", "read_only": True}]},
        {"volumes": [{"type": "volume", "source": "hub", "target": "/t"}]},
        [("~", "volumes//t", "hub (read-only)", "hub")],
    ),
    "a health check's test": (
        {"healthcheck": {"test": ["CMD", "a", "b c"]}},
        {"healthcheck": {"test": ["CMD", "d"]}},
        [("~", "healthcheck/test", "CMD a 'b c'", "CMD d")],
    ),
    "variables as somebody's list": (
        {"environment": ["A=1", "B", "C=x=y"]},
        {"environment": {"A": "2", "B": None, "C": "x=y"}},
        [("~", "environment/A", "1", "2")],
    ),
    "somebody's empty labels": (
        {"labels": {}},
        {"labels": {"a": "b"}},
        [
            ("-", "labels", {}, None),
            ("+", "labels/a", None, "b"),
        ],
    ),
    "somebody's empty service": (None, {"image": "a"}, [("+", "image", None, "a")]),
    "somebody's open quote": (
        {"image": "a"},
        {"image": "a", "command": "it's"},
        [("+", "command/argument 1", None, "it's")],
    ),
    "somebody's short mount": (
        {"image": "a"},
        {"image": "a", "volumes": ["/a:/b"], "ports": {"x": "y"}},
        [("+", "ports/x", None, "y"), ("+", "volumes//a:/b", None, "/a:/b")],
    ),
}


@pytest.mark.parametrize(("before", "after", "expected"), SERVICE_CASES.values(), ids=SERVICE_CASES)
def test_service(before: Any, after: Any, expected: list[tuple[str, str, Any, Any]]) -> None:
    files = [{"name": "p", "services": {"fast": service}} for service in (before, after)]

    found = compare(files[:1], files[1:])

    prefix = "services/fast/"
    assert [(c.action.value, "/".join(c.address).removeprefix(prefix), c.before, c.after) for c in found] == expected


# name -> (files before, files after, (action, project, address)...)
PROJECT_CASES: dict[str, tuple[list[Any], list[Any], list[tuple[str, str, str]]]] = {
    "a new service is one change": (
        [],
        [{"name": "p", "services": {"fast": {"image": "a", "init": True}}}],
        [("+", "p", "services/fast")],
    ),
    "a removed service is one change": (
        [{"name": "p", "services": {"fast": {"image": "a", "init": True}}}],
        [],
        [("-", "p", "services/fast")],
    ),
    "a service that moves to another file is none": (
        [{"name": "p", "services": {"fast": {"image": "a"}}}, {"name": "p"}],
        [{"name": "p"}, {"name": "p", "services": {"fast": {"image": "a"}}}],
        [],
    ),
    "projects are apart": (
        [{"name": "p", "services": {"fast": {"image": "a"}}}],
        [{"name": "q", "services": {"fast": {"image": "a"}}}],
        [("-", "p", "services/fast"), ("+", "q", "services/fast")],
    ),
    "volumes": ([{"name": "p"}], [{"name": "p", "volumes": {"v": {}}}], [("+", "p", "volumes/v")]),
    "a file that is no compose file": ([{"name": ["p"], "services": [1], "volumes": 4}], [{"services": None}], []),
    "no services at all": ([{"services": {}}], [{"services": {"a": {}}, "volumes": {}}], [("+", "", "services/a")]),
    "services that are a list": ([{"services": [{"image": "a"}]}], [{"services": {}}], []),
    "a mapping that holds itself ends": ([], [{"name": "p", "services": {"a": SELF}}], [("+", "p", "services/a")]),
}


@pytest.mark.parametrize(("before", "after", "expected"), PROJECT_CASES.values(), ids=PROJECT_CASES)
def test_projects(before: list[Any], after: list[Any], expected: list[tuple[str, str, str]]) -> None:
    found = compare(before, after)

    assert [(c.action.value, c.project, "/".join(c.address)) for c in found] == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (("services", "fast", "command", "--a"), ["fast"]),
        (("services", "fast", "build", "context"), []),
        (("services", "fast", "pull_policy"), []),
        (("services", "fast"), []),
        (("volumes", "v"), []),
    ],
)
def test_recreated(address: tuple[str, ...], expected: list[str]) -> None:
    changes = [Change(action=Action.UPDATE, project=project, address=address) for project in ("p", "other")]

    assert recreated(changes, "p") == expected


def test_what_reloads_a_router_is_a_change_of_its_routes() -> None:
    """It is no service to people: its files are the router's, and the rest only repeats what the router has."""

    def file(digest: str, image: str) -> dict[str, Any]:
        reloader = {"image": image, "environment": {"ROUTER_FILE_models_map": digest, "CONFIGURATION": digest}}
        return {"name": "p", "services": {"router": {"image": image}, "router-reload": reloader}}

    def found(before: dict[str, Any], after: dict[str, Any]) -> tuple[list[tuple[str, str]], list[str]]:
        changes = list(without_reloader(compare([before], [after]), "router", "router-reload"))
        return [("/".join(change.address[1:]), change.reason) for change in changes], recreated(changes, "p")

    assert found(file("1", "a"), file("2", "a")) == ([("router/routes/models.map", "models.map changed")], [])
    assert found(file("1", "a"), file("1", "b")) == ([("router/image", "")], ["router"])
    assert found({"name": "p"}, file("1", "a")) == ([("router", "")], [])
