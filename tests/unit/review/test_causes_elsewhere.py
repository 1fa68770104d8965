"""Changes of a host whose cause is no line of its inventory: another host, a lock."""

from __future__ import annotations

from pathlib import Path

import pytest
from plans import LAB, causes, commit, consequences, edit, git, lab_fleet, lines, plan_of

from anvil_gen.deploy.pipeline import generator, write_trees


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """A rendered fleet without a pending change."""
    return lab_fleet(tmp_path)


def test_another_host_is_the_cause(tmp_path: Path) -> None:
    """A router that serves another host's models changes with that host's inventory."""
    head = 'schema = 1\n[router]\nkind = "haproxy"\nport = 8000\napi_key_env = "KEY"\n'
    tier = '[tiers.{0}]\nengine = "llamacpp"\nport = {1}\nmodel = {{ file = "{0}.gguf" }}\n'
    near = head + 'hosts = ["far"]\n' + tier.format("near", 30000)
    far = head + 'bind = "0.0.0.0"\n' + tier.format("remote", 30001) + '[host]\naddress = "192.168.1.9"\n'
    (tmp_path / "hosts").mkdir()
    for name, text in (("near", near), ("far", far)):
        (tmp_path / "hosts" / f"{name}.toml").write_text(text + '[paths]\nmodels = "/srv/models"\n', "utf-8")
    git(tmp_path, "init", "-q")
    commit(tmp_path)
    edit(tmp_path, "[tiers.remote]", "[tiers.renamed]", "hosts/far.toml")

    plan = plan_of(tmp_path, against="HEAD", file="hosts/near.toml")

    assert consequences(plan) == {"router": "reload"}
    assert plan.is_edited is False
    assert {(c.cause.line, c.cause.key) for one in plan.services for c in one.changes if c.cause} == {
        (7, "tiers.renamed"),
    }


@pytest.mark.parametrize("against", ["disk", "HEAD"])
def test_a_line_of_another_host_is_the_cause(fleet: Path, against: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(fleet)
    edit(fleet, "[host]\n", '[host]\naddress = "192.0.2.7"\n')
    edit(fleet, 'api_key_env = "LAB_ROUTER_TOKEN"', 'api_key_env = { lab = "LAB_ROUTER_TOKEN", edge = "EDGE_KEY" }')
    near = 'schema = 1\n[tiers.chat]\nengine = "vllm"\nport = 30101\nmodel = { path = "/m/x" }\nserved_name = "own"\n'
    router = '[router]\nport = 8100\napi_key_env = "EDGE_KEY"\nhosts = ["lab-quad"]\n'
    Path("hosts/edge.toml").write_text(near + router, "utf-8")
    write_trees(generator().render_all([Path(LAB), Path("hosts/edge.toml")]))
    commit(fleet)
    edit(fleet, 'served_name = "qwen3-30b"', 'served_name = "qwen3-31b"')

    plan = plan_of(Path(), against=against, file="hosts/edge.toml")

    assert lines(plan) == ["router: routes, by tiers.chat.served_name qwen3-30b -> qwen3-31b"]
    assert causes(plan) == {("router", "tiers.chat.served_name", 45)}
    assert [one.after for one in plan.names if one.name == "qwen3-31b"] == (["lab-quad"] if against == "HEAD" else [])


LOCK = """lock = 1
[images."ghcr.io/huggingface/text-embeddings-inference:86-1.9.3"]
digest = "sha256:{}"
[models."BAAI/bge-m3"]
commit = "{}"
"""


@pytest.mark.parametrize("name", ["lab-quad", "fleet"])
@pytest.mark.parametrize("against", ["disk", "HEAD"])
def test_an_entry_of_a_lock_is_the_cause(fleet: Path, against: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(fleet)
    lock, model = Path(f"locks/{name}.toml"), 'models."BAAI/bge-m3"'
    image = 'images."ghcr.io/huggingface/text-embeddings-inference:86-1.9.3"'
    lock.parent.mkdir()
    lock.write_text(LOCK.format("a" * 64, "a" * 40), "utf-8")
    pinned = plan_of(Path(), against=against)
    write_trees(generator().render_all([Path(LAB)]))
    commit(fleet)
    lock.write_text(LOCK.format("b" * 64, "b" * 40), "utf-8")
    moved = plan_of(Path(), against=against)

    assert causes(pinned) == {("embed", model, 4), ("embed", image, 2), ("rerank", image, 2)}
    assert lines(moved) == [
        f"embed: --revision, by {model}.commit aaaaaaaaaaaa… -> bbbbbbbbbbbb…",
        f"embed: image, by {image}.digest sha256:aaaaaaaaaaaa… -> sha256:bbbbbbbbbbbb…",
        f"rerank: image, by {image}.digest sha256:aaaaaaaaaaaa… -> sha256:bbbbbbbbbbbb…",
    ]
    assert causes(moved) == {
        ("embed", f"{model}.commit", 5),
        ("embed", f"{image}.digest", 3),
        ("rerank", f"{image}.digest", 3),
    }


def test_a_new_host_is_its_own_cause_whatever_else_differs(fleet: Path) -> None:
    edit(fleet, "{", "{#- other -#}{", "hosts/files/qwen3-tools.jinja")
    (fleet / "hosts" / "box.toml").write_text('schema = 1\n[tiers.fast]\nengine = "vllm"\nport = 30000\n', "utf-8")
    edit(fleet, "[tiers.fast]", '[tiers.fast]\nmodel = { path = "/m/fast" }', "hosts/box.toml")

    plan = plan_of(fleet, against="HEAD", file="hosts/box.toml")

    assert consequences(plan) == {"fast": "start"}
    assert {Path(change.cause.file).name for one in plan.services for change in one.changes if change.cause} == {
        "box.toml"
    }
