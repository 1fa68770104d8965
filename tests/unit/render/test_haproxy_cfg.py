"""HAProxy's syntax: whatever text is quoted for it comes back, and a rendered configuration holds what it should."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from haproxy_words import COMMENT, load_cfg
from hypothesis import given
from hypothesis import strategies as st
from strange_values import HOSTILE

from anvil_gen.deploy.pipeline import Generator
from anvil_gen.diagnostics import InternalError
from anvil_gen.render.jinja_env import QUOTES
from anvil_gen.render.quoting import cfg_variable, to_cfg, to_map
from anvil_gen.render.renderer import shipped_renderer

TIER = '[tiers.one]\nengine = "llamacpp"\nmodel = { file = "/m/x.gguf" }\nport = 9000\n'


@pytest.mark.parametrize("text", [text for text in HOSTILE if text and "\0" not in text])
def test_a_hostile_text_is_one_word(text: str) -> None:
    assert load_cfg(f"server {to_cfg(text)} end", "x")[0] == ["server", text, "end"]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: "\0" not in text))
def test_any_text_is_one_word(text: str) -> None:
    assert load_cfg(f"server {to_cfg(text)}", "x") == [["server", text]]


@pytest.mark.parametrize("text", ["", "a\0b"])
def test_what_would_end_a_line_is_refused(text: str) -> None:
    with pytest.raises(InternalError):
        to_cfg(text)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("  a  b\t c", ["a", "b", "c"]),
        ("a 'b \"c' \"d 'e\"", ["a", 'b "c', "d 'e"]),
        (r"a\ b \# \x41 \n", ["a b", "#", "A", "\n"]),
        (r'"a\"b\$c\\" \$', ['a"b$c\\', "$"]),
        (r"'a\b' \q", ["a\\b", "\\q"]),
        ("a # b 'c", ["a", f"{COMMENT} b 'c"]),
        ("a#b", ["a", f"{COMMENT}b"]),
        ('"${NAME}" "$NAME" $NAME', ["\0${NAME}", "\0${NAME}", "$NAME"]),
        ("''", [""]),
    ],
)
def test_a_line_is_read_as_haproxy_reads_it(line: str, words: list[str]) -> None:
    assert load_cfg(line, "x") == [words]


@pytest.mark.parametrize("line", ["'a", '"a', "a\\", '"a $ b"', "a\0b"])
def test_a_broken_line_is_told(line: str) -> None:
    with pytest.raises(InternalError):
        load_cfg(line, "x")


def test_a_variable_is_a_word_of_its_own() -> None:
    assert load_cfg(cfg_variable("KEY"), "x") == [["\0${KEY}"]]
    with pytest.raises(InternalError):
        cfg_variable('a"b')


@pytest.mark.parametrize("text", ["", "#a", "a b", "a\tb", "a\nb", "a\u2028b"])
def test_a_map_has_no_quotes(text: str) -> None:
    with pytest.raises(InternalError):
        to_map(text)


NAMES = ["a\"b'c", "$HOME", "%[path]", "a\\b", "${X}", "{{x}}", "org/model:q4", "!!", "a#b", "x" * 200]


def test_strange_names_and_paths_are_what_is_said(tmp_path: Path) -> None:
    aliases = "".join(f"{_toml(name)} = 'one'\n" for name in NAMES)
    router = "[router]\ntls = { certificate = '/etc/my \"tls\"/ü $x.pem', key = 'C:/a b/k.pem' }\n[router.aliases]\n"
    inventory = tmp_path / "box.toml"
    inventory.write_text(f"schema = 1\n{TIER}{router}{aliases}", "utf-8")
    files = Generator().render(inventory).tree.files

    lines = [line.split() for line in files["router/models.map"].split("\n") if line and not line.startswith("#")]
    assert sorted(lines) == sorted([[name, "one"] for name in [*NAMES, "one"]])
    service = yaml.safe_load(files["router/compose.yml"])["services"]["router"]
    mounts = {mount["target"]: mount["source"] for mount in service["volumes"]}
    assert mounts["/etc/router-tls/tls.pem"] == '/etc/my "tls"/ü $$x.pem'
    assert mounts["/etc/router-tls/tls.pem.key"] == "C:/a b/k.pem"


@pytest.fixture
def broken_quoter(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Break what quotes data files, for environments that are made during the test."""
    shipped_renderer.cache_clear()
    monkeypatch.setitem(QUOTES, "data", str)
    yield
    shipped_renderer.cache_clear()


@pytest.mark.usefixtures("broken_quoter")
def test_a_broken_quoter_is_refused(tmp_path: Path) -> None:
    inventory = tmp_path / "box.toml"
    router = '[router]\nkind = "litellm"\n'
    inventory.write_text(f'schema = 1\n{TIER}{router}aliases."{{a:\'b,#" = "one"\n', "utf-8")

    with pytest.raises(InternalError, match="does not parse"):
        Generator().render(inventory)


def test_a_key_that_is_not_set_is_told_by_its_name(tmp_path: Path) -> None:
    """HAProxy reads the global section twice from 3.4 on, at first without alerts: no other line may fail before."""
    inventory = tmp_path / "box.toml"
    inventory.write_text(f'schema = 1\n{TIER}[router]\napi_key_env = "KEY"\n', "utf-8")
    lines = load_cfg(Generator().render(inventory).tree.files["router/haproxy.cfg"], "x")
    start = lines.index([".if", "defined(KEY)"])
    words = [line[0] for line in lines[start : lines.index([".endif"], start)] if not line[0].startswith(COMMENT)]

    assert words == [".if", "setenv", "unsetenv", "set-var", ".else", ".alert"]


def test_no_tier_has_the_name_of_another_section(tmp_path: Path) -> None:
    """HAProxy refuses a backend that is called like a frontend, from 3.3 on."""
    tiers = "".join(TIER.replace(".one]", f".{name}]").replace("9000", str(9000 + port)) for port, name in PORTS)
    inventory = tmp_path / "box.toml"
    inventory.write_text(f"schema = 1\n{tiers}[router]\nmetrics = 9101\n", "utf-8")
    lines = load_cfg(Generator().render(inventory).tree.files["router/haproxy.cfg"], "x")
    sections = [words[1] for words in lines if words[:1] in (["frontend"], ["backend"], ["resolvers"])]

    assert len(sections) == len({*sections}) == 5 + len(PORTS)


PORTS = list(enumerate(["door", "health", "metrics", "docker", "defaults", "global"]))


def _toml(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def test_tiers_with_one_port_are_told_apart(tmp_path: Path) -> None:
    """Docker gives one's address to the other: each check looks for its own tier's name."""
    same = "container_port = 9000\n"
    second = TIER.replace("tiers.one", "tiers.two").replace("port = 9000", "port = 9001")
    tiers = f"{TIER}{same}{second}{same}served_name = 'a.b'\n"
    inventory = tmp_path / "box.toml"
    inventory.write_text(f"schema = 1\n{tiers}[router]\nfallbacks.one = ['two']\n", "utf-8")
    lines = load_cfg(Generator().render(inventory).tree.files["router/haproxy.cfg"], "x")

    checks = [words for words in lines if words[:2] in (["http-check", "send"], ["http-check", "expect"])]
    asked = ["http-check", "send", "meth", "GET", "uri", "/v1/models"]
    assert checks == [
        asked,
        ["http-check", "expect", "rstring", '"id": ?"one"'],
        asked,
        ["http-check", "expect", "rstring", '"id": ?"a\\.b"'],
    ]
    assert [words for words in lines if words[:1] == ["server"]] == [
        ["server", "one", "one:9000"],
        ["server", "two", "two:9000", "no-check", "observe", "none", "track", "two/two"],
        ["server", "two", "two:9000"],
    ]


def test_tiers_with_ports_of_their_own_are_not_asked(tmp_path: Path) -> None:
    inventory = tmp_path / "box.toml"
    inventory.write_text(f"schema = 1\n{TIER}[router]\n", "utf-8")

    assert "http-check" not in Generator().render(inventory).tree.files["router/haproxy.cfg"]


def test_a_renamed_tier_changes_its_own_lines(tmp_path: Path) -> None:
    inventory = tmp_path / "box.toml"
    names = "served_name = 'a'\n", "served_name = 'b'\nbind = false\n"
    first, second = TIER + names[0], TIER.replace("tiers.one", "tiers.two").replace("9000", "9001") + names[1]

    def rendered(name: str) -> dict[str, list[str]]:
        router = "[router]\nfallbacks.one = ['two']\naliases.x = 'one'\n"
        text = f"schema = 1\n{first}{second}{router}"
        inventory.write_text(re.sub(r"\bone\b", name, text), "utf-8")
        files = Generator().render(inventory).tree.files
        return {path: files[path].split("\n") for path in ROUTE_FILES}

    before, after = rendered("one"), rendered("renamed")
    changed = [
        (old, new) for path in ROUTE_FILES for old, new in zip(before[path], after[path], strict=True) if old != new
    ]
    assert changed
    assert all(new == re.sub(r"\bone\b", "renamed", old) for old, new in changed)


ROUTE_FILES = [f"router/{name}" for name in ("haproxy.cfg", "models.map", "models.json", "no_model.json")]


def test_requests_are_counted_by_the_name_that_they_ask_for(tmp_path: Path) -> None:
    """A name with signs that mean something in HAProxy's formats is left out; without metrics there is no such file."""
    inventory = tmp_path / "box.toml"
    aliases = "aliases = { 'org/a:1' = 'one', 'b\"%,c' = 'one' }\n"
    inventory.write_text(f"schema = 1\n{TIER}[router]\nmetrics = 9101\n{aliases}", "utf-8")
    files = Generator().render(inventory).tree.files
    counted = [line for line in files["router/names.map"].split("\n") if "requests_total{" in line]

    assert [line.partition(" ")[0] for line in counted if "failed" not in line] == [
        'anvil_router_requests_total{name="one"}',
        'anvil_router_requests_total{name="org/a:1"}',
    ]
    assert 'anvil_router_requests_total{name="org/a:1"} %[str(org/a:1),table_http_req_cnt(NAMES)]' in counted
    inventory.write_text(f"schema = 1\n{TIER}[router]\n{aliases}", "utf-8")
    assert "router/names.map" not in Generator().render(inventory).tree.files
