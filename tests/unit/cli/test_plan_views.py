"""How a plan is printed: text, JSON, the comment of a pull request, annotations."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from plans import commit, edit, git, lab_fleet, plan_of

from anvil_gen.cli.views import plan as view
from anvil_gen.cli.views.plan_markdown import LIMIT, MARKER, comment
from anvil_gen.deploy.compose_diff import Action, Cause, Change
from anvil_gen.deploy.consequence import Consequence
from anvil_gen.review.consequence import ServiceChange
from anvil_gen.review.host_plan import HostPlan

HOSTILE = "a`b``|c<img src=x>**d**\n::error::e<!-- anvil-gen plan -->%0A"


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """A rendered fleet without a pending change."""
    return lab_fleet(tmp_path)


def changed(
    service: str = "fast", *, key: str = "command", value: Any = "2", cause: Cause | None = None
) -> ServiceChange:
    """Return a service of which one value differs."""
    change = Change(
        action=Action.UPDATE, project="p", address=("services", service, key, "x"), before="1", after=value, cause=cause
    )
    return ServiceChange(
        service=service,
        project="p",
        root="docker-compose.yml",
        consequence=Consequence.RECREATE,
        changes=(change,),
        before={},
        after={},
    )


def plan(*services: ServiceChange, host: str = "box") -> HostPlan:
    return HostPlan(host=host, inventory="hosts/box.toml", stack=None, services=services, files=())


def test_text(fleet: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(fleet)
    edit(fleet, "port = 30001", 'port = 30011\nbind = "0.0.0.0"')
    view.show_text([plan_of(Path(), against="HEAD"), plan(host="other")])

    assert capsys.readouterr().out == (
        "lab-quad\n"
        "  ~ writer  recreate (away until its new container is ready; start: up to 10m)\n"
        "      port 30001 -> 30011 (--port, health check)  hosts/lab-quad.toml:62\n"
        "      bind 0.0.0.0 added (published port)  hosts/lab-quad.toml:63\n"
        "      now listens beyond loopback: 0.0.0.0:30011\n"
        "  @ router  reload (without a restart, no request is lost)\n"
        "      routes, by tiers.writer.port  hosts/lab-quad.toml:62\n"
        "other: no changes\n"
    )


def test_the_comment_is_the_same_for_the_same_change(fleet: Path) -> None:
    edit(fleet, "port = 30001", 'port = 30011\nbind = "0.0.0.0"')
    first, second = (comment([plan_of(fleet, against="HEAD")]) for _ in range(2))

    assert first == second
    assert first.startswith(f"{MARKER}\n")
    assert first.count(MARKER) == 1
    away = "away until its new container is ready; start: up to 10m; clients ask for it by mistral-small"
    assert f"| `writer` | **recreate**: {away} | `/models/mistral-small-3.2-24b-q4_k_m.gguf` | c |" in first
    assert "**`writer` now listens beyond loopback: `0.0.0.0:30011`**" in first
    assert "  class t1,r changed\n" in first
    assert "```diff\n--- a/tiers/writer.yml" in first


def test_a_host_that_changes_by_something_else_says_so(fleet: Path) -> None:
    edit(fleet, "{", "{#- other -#}{", "hosts/files/qwen3-tools.jinja")

    text = comment([plan_of(fleet, against="HEAD")])

    assert "Its inventory has not changed" in text
    assert "hosts/files/qwen3-tools.jinja" in text


def test_nothing_changes(fleet: Path) -> None:
    assert comment([plan_of(fleet)]) == f"{MARKER}\n## Plan: no changes\n"


@pytest.mark.parametrize("hosts", [1, 3, 400, 3000])
def test_the_comment_is_below_the_limit(hosts: int) -> None:
    services = [changed(f"tier{at}", value="ä" * 5000) for at in range(2000 // hosts + 1)]
    text = comment([plan(*services, host=f"host{at}") for at in range(hosts)])

    assert len(text.encode()) < LIMIT
    assert re.search(r"\n\d+ further parts do not fit here", text)
    assert "### host0: " in text


def test_no_number_of_harmless_lines_keeps_the_worst_out() -> None:
    many = tuple(("mounts from the host", f"/srv/{at}/{'x' * 3000}") for at in range(3000))
    worst = ("is privileged, which is root on the host", "")
    text = comment([plan(replace(changed(), exposures=(*many, worst)))])

    assert len(text.encode()) < LIMIT
    assert "- **`fast` now is privileged, which is root on the host**\n" in text


def test_what_an_inventory_says_means_nothing_to_markdown() -> None:
    cause = Cause(file=HOSTILE, line=1, key=HOSTILE, before=HOSTILE, after=HOSTILE)
    text = comment([plan(changed(HOSTILE, value=HOSTILE, cause=cause), host=HOSTILE)])
    without_code = re.sub(r"(`+).+?(?<!`)\1(?!`)", "", text.removeprefix(MARKER))

    assert "<img" not in without_code
    assert MARKER not in without_code
    assert "**d**" not in without_code
    exposed = comment([plan(replace(changed(HOSTILE), exposures=(("mounts from the host", HOSTILE),)))])
    assert "<img" not in re.sub(r"(`+).+?(?<!`)\1(?!`)", "", exposed)
    rows = [line for line in text.splitlines() if line.startswith("| ") and "recreate" in line]
    assert [len(re.split(r"(?<!\\)\|", row)) for row in rows] == [7]


@pytest.mark.parametrize("text", ["@somebody", "a/b#12", "https://example.org", "www.example.org"])
def test_github_finds_nothing_to_link_to(text: str) -> None:
    shown = comment([plan(changed(cause=Cause(file=text, line=1, key="a")), host=text)])

    assert text not in shown
    assert shown.count("&#8203;") == 2


def test_an_annotation_is_where_the_repository_has_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "fleet").mkdir()
    monkeypatch.chdir(tmp_path / "fleet")
    view.show_annotations([plan(changed(cause=Cause(file="hosts/box.toml", line=3, key="tiers.fast.port")))])

    assert "file=fleet/hosts/box.toml,line=3" in capsys.readouterr().out


def test_names_of_other_hosts_are_in_the_picture(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(fleet)
    edit(fleet, "[host]\n", '[host]\naddress = "192.0.2.7"\n')
    edit(fleet, 'api_key_env = "LAB_ROUTER_TOKEN"', 'api_key_env = { lab = "LAB_ROUTER_TOKEN", edge = "EDGE_KEY" }')
    own = 'schema = 1\n[tiers.own]\nengine = "vllm"\nport = 30101\nmodel = { path = "/m/x" }\n'
    router = '[router]\nport = 8100\napi_key_env = "EDGE_KEY"\nhosts = ["lab-quad"]\n'
    Path("hosts/edge.toml").write_text(own + router, "utf-8")
    shown = comment([plan_of(Path(), file="hosts/edge.toml")])

    assert '  h0[["host lab-quad"]]\n  r -- "own" --> t0\n' in shown
    assert '  r -- "qwen3-30b, mistral-small, bge-m3, bge-reranker, 1 more" --> h0\n' in shown


def test_an_annotation_is_one_command(capsys: pytest.CaptureFixture[str]) -> None:
    cause = Cause(file="hosts/box.toml", line=3, key="tiers.fast.x", before="1", after=HOSTILE)
    view.show_annotations([plan(changed(value=HOSTILE, cause=cause), host=HOSTILE), plan(changed())])
    first, second = capsys.readouterr().out.splitlines()

    assert first.startswith("::warning file=hosts/box.toml,line=3,title=a`b``|c<img src=x>**d**%0A%3A%3Aerror%3A%3Ae")
    assert second == "::warning file=hosts/box.toml,title=box%3A recreate fast::x 1 -> 2"


def test_json_is_as_programs_expect_it(capsys: pytest.CaptureFixture[str]) -> None:
    import json  # noqa: PLC0415

    one = changed(cause=Cause(file="hosts/box.toml", line=3, key="tiers.fast.x"))
    view.show_json([plan(replace(one, exposures=(("is privileged", ""),)))])

    assert json.loads(capsys.readouterr().out) == {
        "format": 1,
        "hosts": [
            {
                "host": "box",
                "services": [
                    {
                        "service": "fast",
                        "consequence": "recreate",
                        "exposures": [{"what": "is privileged", "value": ""}],
                        "changes": [
                            {
                                "address": "services.fast.command.x",
                                "before": "1",
                                "after": "2",
                                "cause": {"file": "hosts/box.toml", "line": 3, "key": "tiers.fast.x"},
                            }
                        ],
                    }
                ],
            }
        ],
    }


def test_no_form_shows_a_secret(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = fleet / "deploy" / "lab-quad" / "tiers" / "chat.yml"
    path.write_text(path.read_text().replace("HF_TOKEN:", "HF_TOKEN: hf_abcdefghijklmnopqrstuvwxyz"))
    git(fleet, "rm", "-q", "-r", "--cached", "deploy")
    commit(fleet)
    found = [plan_of(fleet)]
    for show in (view.show_text, view.show_json, view.show_annotations):
        show(found)
    text = capsys.readouterr().out + comment(found)

    assert "HF_TOKEN" in text
    assert "hf_abc" not in text


def test_what_a_service_has_of_the_host_is_in_every_form(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = "override.privileged = true\noverride.volumes = ['/var/run/docker.sock:/s']\noverride.pid = 'host'\n"
    edit(fleet, "port = 30001\n", f"port = 30001\n{more}")
    found = [plan_of(fleet, against="HEAD")]
    view.show_text(found)
    text = capsys.readouterr().out
    view.show_annotations(found)
    annotations = capsys.readouterr().out

    for line in (
        "is privileged, which is root on the host",
        "shares the host's processes (pid)",
        "mounts from the host: /var/run/docker.sock",
        "has a container engine's socket, which is root on the host: /var/run/docker.sock",
    ):
        assert f"\n      now {line}\n" in text
        assert f"::writer now {line}\n" in annotations
    assert "- **`writer` now is privileged, which is root on the host**\n" in comment(found)
    assert "- **`writer` now mounts from the host: `/var/run/docker.sock`**\n" in comment(found)


def test_a_reviewer_is_told_what_clients_lose_and_what_is_doubtful(fleet: Path) -> None:
    edit(fleet, 'served_name = "mistral-small"', 'served_name = "mistral"\nbind = "0.0.0.0"')
    edit(fleet, 'aliases.default = "chat"', 'aliases.default = "writer"')
    lines = comment([plan_of(fleet, against="HEAD")]).splitlines()

    assert '- **"mistral-small" for clients: no longer answered**' in lines
    assert '- **"default" for clients: chat -&gt; writer**' in lines
    assert '- "mistral" for clients: new, answered by writer' in lines
    assert any(line.startswith("- warning: **tier without a key beyond loopback** `") for line in lines)


def test_what_is_new_to_the_host_stands_out(fleet: Path) -> None:
    """All models of the cache are mounted by others too: of a new tier only its listener is anything new."""
    tier = '[tiers.more]\nengine = "tei"\ntask = "embedding"\nmodel = { repo = "a/b" }\nport = 30009\n'
    edit(fleet, "# Only in the mode", f"{tier}bind = '0.0.0.0'\n\n# Only in the mode")
    lines = comment([plan_of(fleet, against="HEAD")]).splitlines()

    assert "- **`more` now listens beyond loopback: `0.0.0.0:30009`**" in lines
    assert "- `more` now mounts from the host: `/srv/huggingface`, as others here" in lines


def test_diffs_of_tiers_come_first_and_those_of_the_router_are_one(fleet: Path) -> None:
    edit(fleet, "port = 30001", "port = 30011")
    text = comment([plan_of(fleet, against="HEAD")])

    assert re.findall("<summary>(<code>.*)</summary>", text) == [
        "<code>tiers/writer.yml</code>",
        "<code>router/</code>: 6 files",
    ]
