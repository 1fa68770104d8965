"""The picture of a host: what it shows, in each form."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import click
import pytest
from group_fleets import write_pair
from model_facts import CHAT_LOCK
from msgspec.structs import replace

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.cli.views.show.html import html_page
from anvil_gen.cli.views.show.mermaid import mermaid_chart
from anvil_gen.cli.views.show.picture import Picture, Segment, picture_of, with_states
from anvil_gen.cli.views.show.svg import svg_image
from anvil_gen.cli.views.show.text import host_lines
from anvil_gen.fit.host_fit import host_fit
from anvil_gen.resolve.host import Host

GIB = 1 << 30
INVENTORY = """schema = 1
[paths]
models = "/srv/models"
[hfcache]
path = "/srv/huggingface"
[gpus.a]
uuid = "GPU-d0f446cf-1771-414c-e116-a39138798a8c"
memory_mib = 24576
reserve_mib = 1024
[gpus.b]
uuid = "GPU-04d3b6e7-5691-3e86-1d34-c37999440cf1"
[tiers.chat]
engine = "vllm"
gpus = ["a"]
port = 30000
model = { repo = "org/chat" }
gpu_memory = "12GiB"
[tiers.small]
engine = "llamacpp"
gpus = ["a"]
port = 30001
model = { file = "small.gguf" }
gpu_memory = "4GiB"
[tiers.far]
engine = "llamacpp"
gpus = ["b"]
bind = false
model = { file = "far.gguf" }
[tiers.night]
engine = "llamacpp"
gpus = ["a"]
port = 30003
model = { file = "night.gguf" }
gpu_memory = "20GiB"
standby = true
[modes.late]
tiers = ["night"]
[router]
api_key_env = "KEY"
api_key_sha256.phone = "0000000000000000000000000000000000000000000000000000000000000000"
aliases.default = "chat"
aliases.'<b>&"' = "small"
hosts = ["other"]
"""
OTHER = """schema = 1
[host]
address = "192.168.1.20"
[paths]
models = "/srv/models"
[tiers.chat]
engine = "llamacpp"
port = 30000
model = { file = "chat.gguf" }
served_name = "elsewhere"
[router]
bind = "0.0.0.0"
api_key_env = "KEY"
"""


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Picture:
    """A host whose chat model is known, with another host."""
    folder = tmp_path_factory.mktemp("fleet")
    for name in ("hosts", "locks"):
        (folder / name).mkdir()
    (folder / "hosts" / "box.toml").write_text(INVENTORY)
    (folder / "hosts" / "other.toml").write_text(OTHER)
    (folder / "locks" / "box.toml").write_text(CHAT_LOCK)
    return drawn(folder / "hosts" / "box.toml")


def drawn(inventory: Path) -> Picture:
    host = Host(inventory, Catalog())
    return picture_of(host.stack, host.catalog, host_fit(host, (), None))


def test_what_is_shown_of_a_gpu_adds_up(picture: Picture) -> None:
    """To tenths: 31.84 GiB of which 28.66 are taken leave 3.1 of 31.8, not 3.2."""
    memory, taken = 31.84 * GIB, 28.66 * GIB
    segments = (
        Segment(tier="chat", kind="weights", size=20.26 * GIB),
        Segment(tier="chat", kind="overhead", size=3.16 * GIB),
        Segment(tier="chat", kind="cache", size=5.24 * GIB),
        Segment(tier="", kind="free", size=memory - taken),
    )
    words = replace(picture.gpus[0], memory=memory, segments=segments).words

    assert words == "chat 28.7 GiB (weights 20.3 GiB, KV 5.2 GiB, overhead 3.2 GiB), free 3.1 GiB"


def text(picture: Picture, width: int = 100) -> list[str]:
    return click.unstyle("\n".join(host_lines(picture, width))).split("\n")


def test_a_bar_has_what_the_ledger_knows_and_is_whole(picture: Picture) -> None:
    first, late, unknown, _ = picture.gpus
    segments = {(one.tier, one.kind): one.size for one in first.segments}

    assert (first.gpu, first.memory, late.mode, unknown.memory) == ("a", 24 * GIB, "late", None)
    assert segments["chat", "weights"] == pytest.approx(8e9, rel=0.1)
    assert {kind for tier, kind in segments if tier == "chat"} == {"weights", "overhead", "cache"}
    assert [first.size_of("chat"), segments["small", "share"]] == pytest.approx([12 * GIB, 4 * GIB], rel=1e-3)
    assert segments["", "reserved"] == GIB
    assert segments["", "free"] == pytest.approx(7 * GIB, rel=1e-3)
    assert sum(one.size or 0 for one in first.segments) == pytest.approx(24 * GIB)
    assert [one.size for one in unknown.segments] == [None]


def test_a_mode_has_a_bar_where_it_differs(picture: Picture) -> None:
    assert [(bar.gpu, bar.mode, bar.tiers) for bar in picture.gpus] == [
        ("a", "default", ("chat", "small")),
        ("a", "late", ("night",)),
        ("b", "default", ("far",)),
        ("b", "late", ()),
    ]


def test_text_shows_bars_routes_modes_and_hosts(picture: Picture) -> None:
    shown = text(picture)

    assert shown[0] == "box  2 GPUs, 4 tiers, 2 modes"
    bar = next(line for line in shown if line.startswith("a "))
    assert re.fullmatch(r"a +24 GiB  chat█+▒+small▓+/+·+", bar)
    assert any("chat 12 GiB (weights 7.5 GiB, KV " in line for line in shown)
    assert "  chat, default -> chat" in shown
    assert any(line.endswith("  keys: KEY, phone (by digest)") for line in shown)
    assert '  small, <b>&" -> small' in shown
    assert "  elsewhere -> host other" in shown
    assert any(re.fullmatch(r"night +llamacpp +night.gguf +a +127.0.0.1:30003 +late", line) for line in shown)
    assert any(re.fullmatch(r"other +http://192.168.1.20:8000 +elsewhere", line) for line in shown)


@pytest.mark.parametrize("width", [40, 46, 60, 80, 100, 160])
def test_no_line_is_wider_than_the_terminal(picture: Picture, width: int) -> None:
    long = [line for line in text(picture, width) if len(line) > width and len(line.split()) > 2]

    assert long == []


def test_live_names_each_state(picture: Picture) -> None:
    live = with_states(picture, {"chat": "healthy", "small": "starting", "router": "running"})
    lost = with_states(picture, None)

    assert [tier.state for tier in live.tiers] == ["healthy", "starting", "absent", "absent"]
    assert {tier.state for tier in lost.tiers} == {"unknown"}
    assert click.style("chat", fg="green") in "\n".join(host_lines(live, 120))
    assert "dot up" in svg_image([live])
    assert '"dot' not in svg_image([picture])


def test_an_image_is_whole_and_says_what_it_shows(picture: Picture) -> None:
    root = ElementTree.fromstring(svg_image([picture, picture]))
    names = [node.get("id") for node in root.iter() if node.get("id")]
    words = " ".join(root.itertext())

    assert root.get("role") == "img"
    assert root.get("aria-labelledby") in names
    assert len(names) == len(set(names))
    assert "GPU a in mode default: chat 12 GiB" in words
    assert 'small, <b>&" lead to small.' in words


class Page(HTMLParser):
    """What a page has: elements with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_a_page_loads_nothing_and_names_are_text(picture: Picture) -> None:
    page = html_page([picture, picture])
    found = Page(page).found
    names = [attributes["id"] for _, attributes in found if "id" in attributes]

    assert not [tag for tag, _ in found if tag in ("script", "link", "img", "iframe", "b", "object")]
    assert not [a for _, a in found if "src" in a or str(a.get("href", "#")).partition("#")[0]]
    assert "url(" not in page.replace("url(#", "")
    assert len(names) == len(set(names))
    assert "&lt;b&gt;&amp;&quot;" in page
    assert dict(found[0][1]) == {"lang": "en"}
    assert [tag for tag, _ in found].count("h1") == 1
    assert "prefers-color-scheme:dark" in page


def test_a_chart_quotes_what_mermaid_would_read(picture: Picture) -> None:
    chart = mermaid_chart([picture])

    assert chart.startswith('flowchart LR\n  subgraph h0["box"]')
    assert 'h0r -->|"small, #60;b#62;#38;#34;"| h0t1' in chart
    assert 'h0r -.->|"night (in late)"| h0t3' in chart
    assert chart.count("subgraph") == chart.count("  end") == 1


def test_a_host_with_nothing_has_a_picture(tmp_path: Path) -> None:
    (tmp_path / "box.toml").write_text("schema = 1\n")
    empty = drawn(tmp_path / "box.toml")

    assert text(empty) == ["box  1 mode"]
    ElementTree.fromstring(svg_image([empty]))
    assert "<h1>box</h1>" in html_page([empty])


def test_a_rank_has_its_place_in_the_group_and_the_heads_address_on_the_link(tmp_path: Path) -> None:
    head, worker = (drawn(path) for path in write_pair(tmp_path))

    assert [(one.address, one.rank) for picture in (head, worker) for one in picture.tiers] == [
        ("192.168.100.10:8001", "rank 0 of 2 in sparks"),
        ("", "rank 1 of 2 in sparks"),
    ]
    for drawing in (
        "\n".join(host_lines(worker, 120)),
        html_page([worker]),
        svg_image([worker]),
        mermaid_chart([worker]),
    ):
        assert "rank 1 of 2 in sparks" in drawing
