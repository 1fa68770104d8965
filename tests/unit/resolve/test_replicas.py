"""Replicas of a tier: services of their own with equal parts of its GPUs, behind one name."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from haproxy_words import load_cfg
from inventories import Fault, compared

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.deploy.pipeline import Generator
from anvil_gen.operate.deployment import Deployment
from anvil_gen.resolve.host import Host

GPUS = "".join(
    f'gpus.{name} = {{ uuid = "GPU-d0f446cf-1771-414c-e116-a39138798a8{name}", memory_mib = 24000 }}\n'
    for name in "abcdef"
)
SMALL = '[tiers.small]\nengine = "vllm"\nmodel = { path = "/m/s" }\nport = 9100\n'


def chat(gpus: int, replicas: int, more: str = "") -> str:
    """Return an inventory with a tier on the first GPUs."""
    names = ", ".join(f'"{name}"' for name in "abcdef"[:gpus])
    table = f'[tiers.chat]\nengine = "vllm"\nmodel = {{ path = "/m/c" }}\nport = 9000\ngpus = [{names}]\n'
    return f"schema = 1\n{GPUS}{table}replicas = {replicas}\n{more}"


def files_of(text: str, folder: Path) -> dict[str, str]:
    (folder / "box.toml").write_text(text, "utf-8")
    return dict(Generator().render(folder / "box.toml").tree.files)


def backend(files: dict[str, str], name: str) -> list[list[str]]:
    """Return the lines of a backend, without comments."""
    lines = load_cfg(files["router/haproxy.cfg"], "x")
    start = lines.index(["backend", name]) + 1
    end = next((at for at in range(start, len(lines)) if lines[at][:1] == ["backend"]), len(lines))
    return [line for line in lines[start:end] if line and not line[0].startswith("\n#")]


def test_gpus_are_dealt_out_evenly_and_names_and_ports_counted_on(tmp_path: Path) -> None:
    files = files_of(chat(6, 3), tmp_path)

    found = {}
    for name in ("chat", "chat-2", "chat-3"):
        service = yaml.safe_load(files[f"tiers/{name}.yml"])["services"][name]
        (device,) = service["deploy"]["resources"]["reservations"]["devices"]
        gpus = "".join(identity[-1] for identity in device["device_ids"])
        assert "--tensor-parallel-size=2" in service["command"]
        assert "--served-model-name=chat" in service["command"]
        found[name] = (service["container_name"], service["ports"], gpus)
    assert found == {
        "chat": ("chat", ["127.0.0.1:9000:9000"], "ab"),
        "chat-2": ("chat-2", ["127.0.0.1:9001:9001"], "cd"),
        "chat-3": ("chat-3", ["127.0.0.1:9002:9002"], "ef"),
    }


@pytest.mark.parametrize(("gpus", "replicas"), [((1, 2), (1, 2)), ((4, 6), (2, 3)), ((0, 0), (1, 4))])
def test_another_replica_changes_no_other_container(
    gpus: tuple[int, int], replicas: tuple[int, int], tmp_path: Path
) -> None:
    before, after = (files_of(chat(*each, more=SMALL), tmp_path) for each in zip(gpus, replicas, strict=True))

    tiers = [path for path in before if path.startswith("tiers/")]
    assert {path: after[path] for path in tiers} == {path: before[path] for path in tiers}
    assert len(after) == len(before) + replicas[1] - replicas[0]


def test_files_options_and_modes_are_those_of_the_tier(tmp_path: Path) -> None:
    (tmp_path / "chat.jinja").write_text("x", "utf-8")
    more = (
        'files."/t.jinja" = "chat.jinja"\nservice = "talk"\ncontainer_name = "box-talk"\nlora.sql = "/m/sql"\n'
        f'{SMALL}standby = true\n[modes.night]\ntiers = ["small"]\n[modes.day]\ntiers = ["small", "chat"]\n'
        '[router]\naliases.best = "chat"\n'
    )
    files = files_of(chat(2, 2, more), tmp_path)

    assert files["tiers/chat-2.files/t.jinja"] == "x"
    assert yaml.safe_load(files["tiers/chat-2.yml"])["services"]["talk-2"]["container_name"] == "box-talk-2"
    roots = {name: yaml.safe_load(files[f"docker-compose{name}.yml"])["include"] for name in ("", ".night", ".day")}
    tiers = {name: [path for path in paths if path.startswith("tiers/")] for name, paths in roots.items()}
    both = ["tiers/chat.yml", "tiers/chat-2.yml"]
    assert tiers == {"": both, ".night": ["tiers/small.yml"], ".day": [*both, "tiers/small.yml"]}
    routes = [line.split() for line in files["router/models.map"].splitlines() if line and not line.startswith("#")]
    assert dict(routes) == {"chat": "chat", "sql": "chat", "best": "chat"}


def test_the_router_balances_and_asks_whether_each_serves(tmp_path: Path) -> None:
    files = files_of(chat(2, 2, f"{SMALL}[router]\ntiers.chat.concurrency = 8\n"), tmp_path)

    lines = backend(files, "chat")
    assert ["balance", "leastconn"] in lines
    assert ["http-check", "send", "meth", "GET", "uri", "/health"] in lines
    servers = [["server", "chat", "chat:9000", "maxconn", "8"], ["server", "chat-2", "chat-2:9001", "maxconn", "8"]]
    assert [line for line in lines if line[0] == "server"] == servers
    assert not any(line[0] == "retry-on" for line in lines)
    assert [line[:1] for line in backend(files, "small")] == [["timeout"], ["server"]]


def test_sessions_stay_at_a_server(tmp_path: Path) -> None:
    lines = backend(files_of(chat(2, 2, '[router]\ntiers.chat.sticky = "x-session-id"\n'), tmp_path), "chat")

    assert ["balance", "hdr(x-session-id)"] in lines
    assert ["hash-type", "consistent"] in lines
    assert ["balance", "leastconn"] not in lines


def test_replicas_and_fallbacks_stand_in_for_each_other(tmp_path: Path) -> None:
    router = '[router]\nfallbacks.chat = ["small"]\nfallbacks.small = ["chat"]\ntiers.chat.concurrency = 8\n'
    files = files_of(chat(2, 2, f"{SMALL}{router}"), tmp_path)

    tracks = ["no-check", "observe", "none", "track"]
    servers = [line for line in backend(files, "chat") if line[0] == "server"]
    assert servers[2] == ["server", "small", "small:9100", *tracks, "small/small", "backup"]
    assert [line for line in backend(files, "small") if line[0] == "server"] == [
        ["server", "small", "small:9100"],
        ["server", "chat", "chat:9000", "maxconn", "8", *tracks, "chat/chat"],
        ["server", "chat-2", "chat-2:9001", "maxconn", "8", *tracks, "chat/chat-2"],
    ]
    full = ["use_backend", "small", "if", "{", "var(txn.tier)", "-m", "str", "chat", "}"]
    assert [*full, "{", "be_conn_free(chat)", "eq", "0", "}"] in load_cfg(files["router/haproxy.cfg"], "x")


def test_replicas_may_listen_on_one_port_which_another_tier_has_too(tmp_path: Path) -> None:
    other = 'container_port = 8000\n[tiers.other]\nengine = "vllm"\nmodel = { path = "/m/o" }\nport = 9200\n'
    files = files_of(chat(2, 2, f"{other}container_port = 8000\n[router]\n"), tmp_path)

    expect = ["http-check", "expect", "rstring", '"id": ?"chat"']
    assert expect in backend(files, "chat")
    assert [line[1:] for line in backend(files, "chat") if line[0] == "server"] == [
        ["chat", "chat:8000"],
        ["chat-2", "chat-2:8000"],
    ]


FAULTS: list[tuple[str, list[Fault]]] = [
    (
        chat(3, 2).replace("gpus = [", "gpus = ▸["),
        [("GPUs cannot be dealt out", "tiers.chat.gpus", "write 2 of them")],
    ),
    (
        chat(1, 2).replace('gpus = ["a"]', "gpus = ▸2"),
        [("not for replicas", "tiers.chat.gpus", "name them")],
    ),
    (
        chat(2, 2, '[tiers.chat-2]\nengine = "vllm"\nmodel = { path = "/m/o" }\nport = 9100\n').replace(
            "replicas = 2", "replicas = ▸2"
        ),
        [("tier name taken twice", "tiers.chat.replicas", "rename one")],
    ),
    (
        chat(2, 2, SMALL.replace("9100", "▸9001")),
        [("port taken twice", "tiers.small.port", "port = 9002")],
    ),
    (
        chat(2, 2).replace("[tiers.chat]", SMALL.replace("9100", "9002") + "[tiers.chat]").replace("= 9000", "= ▸9001"),
        [("port taken twice", "tiers.chat.port", "first of 2 free ports")],
    ),
    (
        chat(2, 2, '[▸services.chat-2]\nimage = "x:1"\n'),
        [("service taken twice", "services.chat-2", "another name")],
    ),
    (
        chat(2, 2, f'{SMALL}container_name = ▸"chat-2"\n'),
        [("container name taken twice", "tiers.small.container_name", "another")],
    ),
    (
        chat(2, 2, 'ports = ▸["127.0.0.1:9500:9500"]\n'),
        [("not for replicas", "tiers.chat.ports", "remove it")],
    ),
    (
        chat(2, 2, 'override.container_name = ▸"x"\n'),
        [("not for replicas", "tiers.chat.override.container_name", "remove it")],
    ),
    (
        chat(2, 2).replace("port = 9000", 'port = ▸{ env = "PORT", default = 9000 }\ncontainer_port = 8000'),
        [("variable where a value is needed", "tiers.chat.port", "the value itself")],
    ),
    (
        chat(2, 2).replace("port = 9000", "port = ▸65535"),
        [("number out of range", "tiers.chat.port", "65534 at most")],
    ),
    (
        'schema = 1\n[tiers.own]\nengine = "custom"\nimage = "x:1"\ncommand = ["serve"]\nport = 9000\nreplicas = ▸2\n',
        [("not for replicas", "tiers.own.replicas", "container_port = 9000")],
    ),
    (
        chat(2, 2, '[router]\nkind = "anvil"\n').replace("replicas = 2", "▸replicas = 2"),
        [("not for this router", "tiers.chat.replicas", 'kind = "haproxy"')],
    ),
    (
        chat(2, 2, '[router]\nkind = "litellm"\ntiers.chat.▸sticky = "x-id"\n').replace("replicas", "▸replicas"),
        [
            ("not for this router", "tiers.chat.replicas", 'kind = "haproxy"'),
            ("not for this router", "router.tiers.chat.sticky", 'kind = "haproxy"'),
        ],
    ),
    (
        chat(2, 2, '[router]\naliases.x = ▸"chat-2"\n'),
        [("alias to a missing tier", "router.aliases.x", 'did you mean "chat"?')],
    ),
    # What is wrong with a tier is told once, however many servers it has.
    (
        chat(2, 2, "flags.▸no-such-flag = 1\n"),
        [("unknown flag", "tiers.chat.flags.no-such-flag", "")],
    ),
]


@pytest.mark.parametrize(("text", "expected"), FAULTS)
def test_what_cannot_be_is_told_at_its_line(text: str, expected: list[Fault], tmp_path: Path) -> None:
    found, wanted = compared(text, expected, tmp_path)

    assert found == wanted


def test_verbs_take_a_tiers_name_for_all_of_its_servers(tmp_path: Path) -> None:
    (tmp_path / "box.toml").write_text(chat(2, 2, f"{SMALL}[router]\n"), "utf-8")
    deployment = Deployment(Host(tmp_path / "box.toml", Catalog()))
    mode = deployment.mode(None)

    assert deployment.services(mode, ["chat"]) == ["chat", "chat-2"]
    assert deployment.services(mode, ["chat-2", "small"]) == ["chat-2", "small"]
    assert deployment.services(mode, []) == ["chat", "chat-2", "small", "router", "router-reload"]
