"""What is pasted into clients: it reads back as what the inventory says, whatever the names are."""

from __future__ import annotations

import ast
import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.render.client_snippets import Endpoint, Name, endpoints_of, kinds, text_for
from anvil_gen.resolve.host import Host

STRANGE = 'it\'s-"$x"-`id`-\\-{{y}}-#-ü🙂\u2028'
TIER = 'engine = "vllm", model = { path = "/m/x" }'
ROUTED = f"""schema = 1
tiers.small = {{ {TIER}, served_name = {json.dumps(STRANGE, ensure_ascii=False)}, port = 1 }}
tiers.embed = {{ {TIER}, task = "embedding", served_name = "vectors", port = 2 }}
tiers.night = {{ {TIER}, port = 3, standby = true }}
modes.dark = {{ tiers = ["night"], aliases = {{ moon = "night" }} }}
router = {{ kind = "anvil", api_key_env = "BOX_KEY" }}
"""
PLAIN = f"schema = 1\ntiers.one = {{ {TIER} }}\nrouter = {{ api_key_env = 'K', PLACE }}\n"


def endpoints(text: str, folder: Path, mode: int = 0, address: str | None = None) -> tuple[Endpoint, ...]:
    """Return where the models of an inventory's mode are reached."""
    (folder / "box.toml").write_text(text, "utf-8")
    stack = Host(folder / "box.toml", Catalog()).stack
    return endpoints_of(stack.host, stack.modes[mode], address)


def pasted(kind: str, folder: Path, text: str = ROUTED) -> str:
    """Return what is pasted for a kind of client."""
    return text_for(Catalog(), kind, "box", endpoints(text, folder))


@pytest.mark.parametrize(
    ("bind", "address", "expected", "unsaid"),
    [
        ("127.0.0.1", "box.lan", "http://127.0.0.1:8000/v1", False),
        ("0.0.0.0", "box.lan", "http://box.lan:8000/v1", False),
        ("all", "192.168.1.20", "http://192.168.1.20:8000/v1", False),
        ("all", None, "http://127.0.0.1:8000/v1", True),
        ("::", None, "http://[::1]:8000/v1", True),
        ("192.168.1.5", "box.lan", "http://192.168.1.5:8000/v1", False),
    ],
)
def test_the_address_is_one_that_others_reach(
    bind: str, address: str | None, expected: str, unsaid: bool, tmp_path: Path
) -> None:
    (one,) = endpoints(PLAIN.replace("PLACE", f"bind = '{bind}'"), tmp_path, address=address)

    assert (one.base_url, one.open) == (expected, unsaid)


def test_a_router_is_the_one_address_of_all(tmp_path: Path) -> None:
    (one,) = endpoints(ROUTED, tmp_path)

    assert (one.base_url, one.key) == ("http://127.0.0.1:8000/v1", "BOX_KEY")
    assert [(model.name, model.tier, model.task) for model in one.models] == [
        (STRANGE, "small", "chat"),
        ("vectors", "embed", "embedding"),
    ]


def test_a_mode_has_its_own_names(tmp_path: Path) -> None:
    (one,) = endpoints(ROUTED, tmp_path, mode=1)

    assert [model.name for model in one.models] == ["night", "moon"]


def test_without_a_router_each_tier_is_an_address(tmp_path: Path) -> None:
    text = ROUTED.partition("router")[0]
    text = text.replace("port = 2", 'port = 2, flags.api-key = { env = "OWN" }')

    assert [(one.name, one.base_url, one.key) for one in endpoints(text, tmp_path)] == [
        ("small", "http://127.0.0.1:1/v1", None),
        ("embed", "http://127.0.0.1:2/v1", "OWN"),
    ]


@pytest.mark.parametrize(
    ("more", "base"),
    [
        ('bind = "0.0.0.0"', "http://127.0.0.1:8000/v1"),
        ('bind = "::"', "http://[::1]:8000/v1"),
        ('bind = "192.168.1.5", port = 80', "http://192.168.1.5:80/v1"),
        ('tls = { certificate = "/a.pem", key = "/a.key" }', "https://127.0.0.1:8000/v1"),
    ],
)
def test_the_address_is_one_that_the_machine_itself_reaches(more: str, base: str, tmp_path: Path) -> None:
    (one,) = endpoints(PLAIN.replace("PLACE", more), tmp_path)

    assert one.base_url == base


@pytest.mark.parametrize(
    "text", [PLAIN.replace("PLACE", "bind = false"), f"schema = 1\ntiers.small = {{ {TIER}, bind = false }}\n"]
)
def test_what_is_not_published_is_not_reached(text: str, tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError) as caught:
        endpoints(text, tmp_path)

    assert [diagnostic.summary for diagnostic in caught.value.diagnostics] == ["nothing is published"]


def test_the_listing_is_the_registry(tmp_path: Path) -> None:
    (tmp_path / "templates" / "clients").mkdir(parents=True)
    (tmp_path / "templates" / "clients" / "own.sh.j2").write_text("ask {{ first.model }} {{ first.key_word }}\n")
    (tmp_path / "templates" / "clients" / "env.json.j2").write_text("mine\n")
    catalog = Catalog(tmp_path / "templates")
    there = endpoints(ROUTED, tmp_path)

    assert list(kinds(Catalog())) == ["aider", "continue", "curl", "env", "litellm", "openai", "opencode"]
    assert list(kinds(catalog)) == sorted([*kinds(Catalog()), "own"])
    assert shlex.split(text_for(catalog, "own", "box", there)) == ["ask", STRANGE, "${BOX_KEY}"]
    assert text_for(catalog, "env", "box", there) == "mine\n"


@pytest.mark.parametrize("name", ["stray.txt", "deep/own.sh.j2"])
def test_a_file_that_is_no_clients_template_is_told(name: str, tmp_path: Path) -> None:
    (tmp_path / "clients" / name).parent.mkdir(parents=True)
    (tmp_path / "clients" / name).write_text("x")
    with pytest.raises(DiagnosticError) as caught:
        Catalog(tmp_path)

    assert [diagnostic.summary for diagnostic in caught.value.diagnostics] == ["template that nothing reads"]


def test_an_unknown_kind_is_told(tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError) as caught:
        pasted("opencod", tmp_path)

    assert [diagnostic.remedy for diagnostic in caught.value.diagnostics] == ['did you mean "opencode"?']


def test_curl(tmp_path: Path) -> None:
    words = shlex.split(pasted("curl", tmp_path).replace("\\\n", " "))

    assert words[-5:-1] == ["Content-Type: application/json", "--header", "Authorization: Bearer ${BOX_KEY}", "--data"]
    assert json.loads(words[-1])["model"] == STRANGE
    assert "http://127.0.0.1:8000/v1/chat/completions" in words


@pytest.mark.parametrize("kind", ["env", "aider", "curl"])
def test_a_shell_takes_it(kind: str, tmp_path: Path) -> None:
    script = "aider() { printf '%s\\n' \"$@\"; }\ncurl() { printf '%s\\n' \"$@\"; }\n" + pasted(kind, tmp_path)
    done = subprocess.run(
        ["sh", "-euc", f"{script}\necho ${{OPENAI_API_KEY:-}}"],
        env={"BOX_KEY": "s3cret value"},
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=10,
    )

    assert "s3cret value" in done.stdout
    assert STRANGE in done.stdout or kind != "aider"


def test_openai(tmp_path: Path) -> None:
    tree = ast.parse(pasted("openai", tmp_path))
    keywords = {
        word.arg: ast.unparse(word.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for word in node.keywords
    }

    assert ast.literal_eval(keywords["model"]) == STRANGE
    assert ast.literal_eval(keywords["base_url"]) == "http://127.0.0.1:8000/v1"
    assert keywords["api_key"] == "os.environ['BOX_KEY']"


def test_litellm(tmp_path: Path) -> None:
    models = yaml.safe_load(pasted("litellm", tmp_path))["model_list"]

    assert models[0] == {
        "model_name": STRANGE,
        "litellm_params": {
            "model": f"openai/{STRANGE}",
            "api_base": "http://127.0.0.1:8000/v1",
            "api_key": "os.environ/BOX_KEY",
        },
    }


def test_continue(tmp_path: Path) -> None:
    models = yaml.safe_load(pasted("continue", tmp_path))["models"]

    assert [(model["model"], model["roles"]) for model in models] == [
        (STRANGE, ["chat", "edit", "apply"]),
        ("vectors", ["embed"]),
    ]
    assert {model["apiKey"] for model in models} == {"${{ secrets.BOX_KEY }}"}


@pytest.mark.parametrize("routed", [True, False])
def test_opencode(routed: bool, tmp_path: Path) -> None:
    text = ROUTED if routed else ROUTED.partition("router")[0]
    said: dict[str, Any] = json.loads(pasted("opencode", tmp_path, text))["provider"]

    assert list(said) == (["box"] if routed else ["small", "embed"])
    assert next(iter(said.values()))["models"] == {STRANGE: {}}
    assert [one["options"].get("apiKey") for one in said.values()] == (["{env:BOX_KEY}"] if routed else [None, None])


@pytest.mark.parametrize("kind", list(kinds(Catalog())))
@pytest.mark.parametrize("task", ["chat", "embedding", "rerank", "transcription"])
def test_every_kind_takes_every_task_with_and_without_a_key(kind: str, task: str, tmp_path: Path) -> None:
    text = f'schema = 1\ntiers.one = {{ {TIER}, task = "{task}", served_name = "m" }}\n'
    keyed = text.replace('"m"', '"m", flags.api-key = { env = "OWN" }')

    assert "OWN" not in pasted(kind, tmp_path, text)
    printed = pasted(kind, tmp_path, keyed)
    has_no_model = kind in ("continue", "litellm") and '"m"' not in printed
    assert ("OWN" in printed) != has_no_model


def test_what_other_hosts_answer_is_called_theirs() -> None:
    names = [
        Name(name="own", tier="chat", task="chat"),
        Name(name="both", tier="chat", task="chat", hosts=("spark",)),
        Name(name="theirs", tier="spark", task="chat", hosts=("spark", "cpu")),
    ]

    assert [one.answering for one in names] == ["tier chat", "tier chat, host spark", "host spark, host cpu"]
