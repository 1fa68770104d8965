"""One router over several hosts: what it reads from the other inventories, and what speaks against it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from haproxy_words import load_cfg
from inventories import told_beside, without_marks

from anvil_gen.deploy.pipeline import Generator
from anvil_gen.diagnostics import DiagnosticError

BOX = 'schema = 1\n[tiers.chat]\nengine = "vllm"\nmodel = { path = "/m/c" }\nport = 9000\n'
ROUTER = '[router]\naliases.best = "chat"\napi_key_env = "BOX_KEY"\nhosts = [▸"quad"]\n'
QUAD = """schema = 1
host.address = "10.0.0.2"
[tiers.small]
engine = "vllm"
model = { path = "/m/s" }
port = 9001
[tiers.embed]
engine = "tei"
task = "embedding"
model = { path = "/m/e" }
port = 9002
[router]
port = 8100
bind = "0.0.0.0"
api_key_env = { laptop = "LAPTOP_KEY", box = "QUAD_KEY" }
timeout = "2h"
aliases.best = "small"
"""
KEYS = 'api_key_env = { laptop = "LAPTOP_KEY", box = "QUAD_KEY" }\n'
DIGEST = f'api_key_sha256.phone = "{"0" * 64}"\n'


def fleet(folder: Path, **hosts: str) -> Path:
    """Write inventories, and return the folder that they are in."""
    (folder / "hosts").mkdir(exist_ok=True)
    for name, text in hosts.items():
        (folder / "hosts" / f"{name}.toml").write_text(text.replace("▸", ""), "utf-8")
    return folder / "hosts"


def files_of(folder: Path, **hosts: str) -> dict[str, str]:
    return dict(Generator().render(fleet(folder, **hosts) / "box.toml").tree.files)


def backend(files: dict[str, str], name: str) -> list[list[str]]:
    lines = load_cfg(files["router/haproxy.cfg"], "x")
    start = lines.index(["backend", name]) + 1
    end = next((at for at in range(start, len(lines)) if lines[at][:1] in (["backend"], ["frontend"])), len(lines))
    return [line for line in lines[start:end] if line and not line[0].startswith("\n#")]


def routes(files: dict[str, str]) -> dict[str, str]:
    lines = files["router/models.map"].splitlines()
    return dict(line.split() for line in lines if line and not line.startswith("#"))


def test_names_tasks_port_and_key_are_the_other_inventorys(tmp_path: Path) -> None:
    files = files_of(tmp_path, box=BOX + ROUTER, quad=QUAD)

    assert routes(files) == {"chat": "chat", "best": "chat:quad", "small": "HOST:quad", "embed": "HOST:quad"}
    listed = {model["id"]: model["owned_by"] for model in json.loads(files["router/models.json"])["data"]}
    assert listed == {"chat": "chat", "best": "chat", "small": "quad", "embed": "quad"}
    lines = backend(files, "HOST:quad")
    assert ["timeout", "server", "7200s"] in lines
    assert ["http-request", "set-header", "authorization", "Bearer %[env(QUAD_KEY)]"] in lines
    assert ["server", "quad", "10.0.0.2:8100", "tcp-ut", "5s"] in lines
    assert "QUAD_KEY=\n" in files[".env.example"]
    assert "LAPTOP_KEY" not in "".join(files.values())


def test_a_client_by_its_digest_is_passed_over_for_one_whose_key_is_at_hand(tmp_path: Path) -> None:
    files = files_of(tmp_path, box=BOX + ROUTER, quad=QUAD.replace("box =", "other =") + DIGEST)

    assert ["http-request", "set-header", "authorization", "Bearer %[env(LAPTOP_KEY)]"] in backend(files, "HOST:quad")


def test_a_model_of_both_is_balanced_without_giving_a_tier_the_key(tmp_path: Path) -> None:
    files = files_of(tmp_path, box=BOX + ROUTER, quad=QUAD)

    lines = backend(files, "chat:quad")
    tracks = ["no-check", "observe", "none", "track"]
    assert [line[1:] for line in lines if line[0] == "server"] == [
        ["chat", "chat:9000", *tracks, "chat/chat"],
        ["HOP:quad", "127.0.0.1:64010", *tracks, "HOST:quad/quad"],
    ]
    assert not [line for line in lines if "authorization" in line]
    assert ["default_backend", "HOST:quad"] in load_cfg(files["router/haproxy.cfg"], "x")


def test_several_hosts_share_a_model_that_this_one_has_not(tmp_path: Path) -> None:
    third = QUAD.replace("10.0.0.2", "10.0.0.3").replace("tiers.embed", "tiers.own")
    box = BOX + ROUTER.replace('"quad"', '"quad", "third"')
    files = files_of(tmp_path, box=box, quad=QUAD, third=third)

    assert routes(files)["small"] == "HOST:quad:third"
    assert routes(files)["best"] == "chat:quad:third"
    servers = [line[1] for line in backend(files, "HOST:quad:third") if line[0] == "server"]
    assert servers == ["HOP:quad", "HOP:third"]


def test_tls_is_verified_by_the_hosts_name(tmp_path: Path) -> None:
    tls = 'tls = { certificate = "/etc/tls/a.pem", key = "/etc/tls/a.key" }\n'
    quad = QUAD.replace("10.0.0.2", "quad.lan") + tls
    files = files_of(tmp_path, box=f'{BOX}{ROUTER}hosts_ca = "/etc/tls/ca.pem"\n', quad=quad)

    server = next(line for line in backend(files, "HOST:quad") if line[0] == "server")
    verified = ["ssl", "verify", "required", "ca-file", "/etc/router-tls/hosts.pem", "sni", "str(quad.lan)"]
    assert server[5:] == [*verified, "verifyhost", "quad.lan"]
    assert "source: /etc/tls/ca.pem\n        target: /etc/router-tls/hosts.pem" in files["router/compose.yml"]


def test_a_change_of_the_other_inventory_makes_this_one_stale(tmp_path: Path) -> None:
    generator = Generator()

    def sources(quad: str) -> object:
        return generator.render(fleet(tmp_path, box=BOX + ROUTER, quad=quad) / "box.toml").host.sources

    before = sources(QUAD)
    assert sources(f"{QUAD}aliases.more = 'small'\n") != before
    assert sources(QUAD.replace("8100", "8101")) != before
    assert sources(QUAD.replace("9001", "9007")) == before  # which no other host has to know
    assert sources(QUAD) == before


def test_a_host_without_others_has_the_sources_that_it_had(tmp_path: Path) -> None:
    plan = Generator().render(fleet(tmp_path, box=BOX, quad=QUAD) / "box.toml")

    assert plan.host.peers == ()


THIRD = QUAD.replace("[router]\n", '[router]\nhosts = ["box"]\n')
FAULTS = [
    ({"quad": QUAD.replace('bind = "0.0.0.0"\n', "")}, ROUTER, "host cannot be used", "0.0.0.0"),
    ({"quad": QUAD.replace('bind = "0.0.0.0"', "bind = false")}, ROUTER, "host cannot be used", "0.0.0.0"),
    ({"quad": QUAD.replace('host.address = "10.0.0.2"\n', "")}, ROUTER, "host cannot be used", "set address"),
    ({"quad": QUAD.partition("[router]")[0]}, ROUTER, "host cannot be used", "add [router]"),
    ({"quad": QUAD.replace("9002", "9001")}, ROUTER, "host cannot be used", "anvil-gen render quad"),
    ({"quad": f"{QUAD}x x"}, ROUTER, "host cannot be used", "anvil-gen render quad"),
    ({"quad": QUAD + 'tls = { certificate = "/a", key = "/b" }\n'}, ROUTER, "host cannot be used", "write a name"),
    ({"quad": QUAD.replace(KEYS, DIGEST)}, ROUTER, "host cannot be used", "api_key_env = { box ="),
    # The one of this host's name is meant, and no other.
    (
        {"quad": QUAD.replace("box =", "other =") + DIGEST.replace("phone", "box")},
        ROUTER,
        "host cannot be used",
        "api_key_env = { box =",
    ),
    ({}, ROUTER, "unknown host", "name one"),
    ({}, ROUTER.replace("quad", "box"), "hosts in a circle", "take one of them out"),
    ({"quad": THIRD}, ROUTER, "hosts in a circle", "take one of them out"),
    (
        {"quad": QUAD.replace("[router]\n", '[router]\nhosts = ["third"]\n'), "third": THIRD},
        ROUTER,
        "hosts in a circle",
        "take one of them out",
    ),
    ({"quad": QUAD}, ROUTER.replace('[▸"quad"', '["quad", ▸"quad"'), "host named twice", "once"),
    ({"quad": f'{QUAD}aliases.chat = "embed"\n'}, ROUTER, "model name taken twice", "another name"),
    ({"quad": QUAD}, f'{ROUTER.replace("hosts = [▸", "▸hosts = [")}kind = "anvil"\n', "not for this router", "haproxy"),
]


@pytest.mark.parametrize(("others", "router", "summary", "remedy"), FAULTS)
def test_what_speaks_against_a_host(
    others: dict[str, str], router: str, summary: str, remedy: str, tmp_path: Path
) -> None:
    text, places = without_marks(BOX + router)
    with pytest.raises(DiagnosticError) as raised:
        Generator().render(fleet(tmp_path, box=text, **others) / "box.toml")

    where = "router.hosts" if "anvil" in router else f"router.hosts[{int('twice' in summary and 'host' in summary)}]"
    found, wanted = told_beside(raised.value.diagnostics, places, [(summary, where, remedy)])
    assert found == wanted


def test_hosts_may_follow_each_other_without_a_circle(tmp_path: Path) -> None:
    quad = QUAD.replace("[router]\n", '[router]\nhosts = ["third"]\n')
    third = QUAD.replace("10.0.0.2", "10.0.0.3").replace("small", "far")
    files = files_of(tmp_path, box=BOX + ROUTER, quad=quad, third=third)

    assert "far" not in routes(files)


@pytest.mark.parametrize(
    ("model", "warns"),
    [("/m/s", True), ("/m/c", False), ("/m/C-Q4_K_M.gguf", False), ("/other/c", False)],
)
def test_a_name_that_means_another_model_elsewhere_is_told(model: str, warns: bool, tmp_path: Path) -> None:
    """Requests for it are spread over both: an alias like `default`, which every host has, is hardly meant so."""
    quad = QUAD.replace('model = { path = "/m/s" }', f'model = {{ path = "{model}" }}')
    rendered = Generator().render(fleet(tmp_path, box=BOX + ROUTER, quad=quad) / "box.toml")

    told = [one for one in rendered.host.warnings if one.code == "name-of-different-models"]
    assert [one.address for one in told] == (["router.hosts[0]"] if warns else [])
    assert all('"best" is c on this host, s on quad' in one.detail for one in told)


def test_a_key_that_is_another_hosts_too_says_so(tmp_path: Path) -> None:
    same = files_of(tmp_path, box=BOX + ROUTER, quad=QUAD.replace("QUAD_KEY", "BOX_KEY"))
    other = files_of(tmp_path, box=BOX + ROUTER, quad=QUAD)

    assert "It is also sent to quad: the same value there." in same[".env.example"].split("BOX_KEY=")[0]
    assert "It is also sent" not in other[".env.example"]
    assert "router of quad asks for: the same value as there." in other[".env.example"].split("QUAD_KEY=")[0]
