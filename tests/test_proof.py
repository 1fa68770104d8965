"""The proof finds a template that says something else than the model, whatever is wrong with it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import jinja2
import pytest

from anvil_gen.catalog.catalog import shipped_templates
from anvil_gen.deploy.pipeline import Generator
from anvil_gen.diagnostics import DiagnosticError, InternalError
from anvil_gen.render import jinja_env, quoting, template_lint
from anvil_gen.render.renderer import RenderedFile, Renderer

ENV_EXAMPLE = "compose/env.example.j2"
INVENTORY = """
schema = 1
[tiers.tier]
engine = "vllm"
model = { path = "/models/m" }
served_name = "it's-$HOME"
environment.X = "%s"
restart = "no"
"""
HOSTILE = ["plain", "a: b", "x #y", "null", "1e3", "line\\nbreak", "${HOME}", "it's", '\\"', "- a", "\\u0085", "{a: b}"]


def render(folder: Path, value: str, more: str = "", cache: Path | None = None) -> dict[str, str]:
    """Render an inventory that holds ``value``."""
    (folder / "hosts").mkdir(exist_ok=True)
    inventory = folder / "hosts" / "box.toml"
    inventory.write_text(INVENTORY % value + more, "utf-8")
    return dict(Generator(cache=cache).render(inventory).tree.files)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_is_proven(value: str, tmp_path: Path) -> None:
    assert "tiers/tier.yml" in render(tmp_path, value)


@pytest.mark.parametrize("value", [value for value in HOSTILE if value != "plain"])
def test_a_broken_quoter_is_found(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(jinja_env.QUOTES, "yaml", str)

    with pytest.raises(InternalError, match="does not"):
        render(tmp_path, value)


BROKEN_TEMPLATES = [
    ("{{ variable.name | key }}: {{ variable.value }}", "{{ variable.name | key }}: {{ variable.value[:3] }}"),
    ("    image: {{ service.image }}\n", "    image: {{ service.image.upper() }}\n"),
    ("    restart: {{ service.restart }}\n", "{% if service.restart == 'no' %}\n    restart: always\n{% endif %}\n"),
]


def change(folder: Path, old: str, new: str, template: str = "compose/service.yml.j2") -> None:
    """Let a fleet bring its own version of a shipped template."""
    text = (shipped_templates() / template).read_text("utf-8")
    assert old in text
    path = folder / "templates" / template
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.replace(old, new), "utf-8")


def fault_of(folder: Path, value: str = "plain-value", more: str = "") -> tuple[str, str, int | None]:
    """Render a fleet whose template is at fault, and return its detail, file and line."""
    with pytest.raises(DiagnosticError) as caught:
        render(folder, value, more)
    (found,) = caught.value.diagnostics
    assert found.location is not None
    return found.detail, found.location.file, found.location.line


@pytest.mark.parametrize(("old", "new"), BROKEN_TEMPLATES)
def test_a_template_that_changes_a_value_is_found(old: str, new: str, tmp_path: Path) -> None:
    change(tmp_path, old, new)
    detail, file, _ = fault_of(tmp_path)

    assert "tiers/tier.yml does not say what the model says" in detail
    assert file.endswith("templates/compose/service.yml.j2")


GPU = """
gpus = ["card"]
files."/in/x" = "box.toml"
[gpus.card]
uuid = "GPU-d0f446cf-1771-414c-e116-a39138798a8c"
"""
LEFT_OUT = [
    ("    image: {{ service.image }}\n", "    image: mine\n", "image"),
    ("    container_name: {{ service.container_name }}\n", "", "container_name"),
    ("    restart: {{ service.restart }}\n", "", "restart"),
    ("{% for argument in service.command %}", "{% for argument in service.command[1:] %}", "command"),
    ("{% for argument in service.entrypoint %}", "{% for argument in service.entrypoint[1:] %}", "entrypoint"),
    ("{% for variable in service.environment %}", "{% for variable in service.environment[1:] %}", "environment"),
    ('{% include "compose/ports.yml.j2" %}\n', "", "ports"),
    ("{% for mount in service.mounts %}", "{% for mount in service.mounts[1:] %}", "volumes"),
    ("        read_only: true\n", "        read_only: false\n", "volumes"),
    ("{% if service.gpus %}", "{% if not service.gpus %}", "deploy.resources.reservations.devices"),
    ("{% for name, value in service.labels %}", "{% for name, digest in service.labels[1:] %}", "labels"),
    ('{% include "compose/upkeep.yml.j2" %}', "", "healthcheck"),
]


@pytest.mark.parametrize(("old", "new", "key"), LEFT_OUT)
def test_a_template_that_leaves_a_key_out_is_found(old: str, new: str, key: str, tmp_path: Path) -> None:
    change(tmp_path, old, new)
    detail, file, _ = fault_of(tmp_path, more=GPU)

    assert detail == f"tiers/tier.yml does not say what the model says, at services.tier.{key}"
    assert file.endswith("templates/compose/service.yml.j2")


def test_what_an_override_says_may_stand_otherwise(tmp_path: Path) -> None:
    change(tmp_path, "    image: {{ service.image }}\n", "    image: mine\n")

    assert "image: other\n" in render(tmp_path, "x", 'override.image = "other"\n')["tiers/tier.yml"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  {{ router.service | key }}:", "  another:"),
        ("    image: {{ router.image }}\n{% else %}", "{% else %}"),
    ],
)
def test_a_router_that_is_not_there_is_found(old: str, new: str, tmp_path: Path) -> None:
    change(tmp_path, old, new, "routers/anvil/tree/router/compose.yml.j2")
    detail, file, _ = fault_of(tmp_path, more='port = 8100\n[router]\nkind = "anvil"\nimage = "own/router:1"\n')

    assert "router/compose.yml does not say what the model says, at services.router" in detail
    assert file.endswith("routers/anvil/tree/router/compose.yml.j2")


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    change(tmp_path, "    init: true\n", "    init: true\n    init: true\n")

    assert "'init' stands twice" in fault_of(tmp_path)[0]
    assert "'init' stands twice" in fault_of(tmp_path, more='override.image = "other"\n')[0]


FAULTS = [
    ("    init: true\n", "    init: {{ service.name + 1 }}\n", 4),
    ("    init: true\n", "    init: {{ 1/0 }}\n", 4),
    ("    init: true\n", "    init: {{ service.name | folded }}\n", 4),
    ("    init: true\n", "    {{ service.shm_size | key }}: 1\n", 4),
    ("    init: true\n", "    init: {{ nope }}\n", 4),
    ("    init: true\n", "    shm_size: {{ service.shm_size }}\n", 4),
    ("    init: true\n", "    init: {{ service.health }}\n", 4),
    ("    init: true\n", "    init: {% nope %}\n", 4),
    ("    init: true\n", '{% include "nope" %}\n', 4),
    ("    init: true\n", "    init: 'x{{ nope }}'\n", 4),
]


@pytest.mark.parametrize(("old", "new", "line"), FAULTS)
def test_a_fault_in_a_template_is_told_with_its_line(old: str, new: str, line: int, tmp_path: Path) -> None:
    change(tmp_path, old, new)

    for _ in range(2):  # the second time with compiled templates
        _, file, found = fault_of(tmp_path)
        assert file.endswith("templates/compose/service.yml.j2")
        assert found == line


def test_a_template_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    change(tmp_path, "init: true", "init: true")
    path = tmp_path / "templates" / "compose" / "service.yml.j2"
    path.write_bytes(path.read_bytes().replace(b"true", b"\xff", 1))
    detail, file, line = fault_of(tmp_path)

    assert (detail, line) == ("it is not UTF-8", 4)
    assert file.endswith("templates/compose/service.yml.j2")


def test_a_token_cannot_be_made_up(tmp_path: Path) -> None:
    change(tmp_path, "    init: true\n", "    init: true\n    hostname: zq1qz\n")

    assert "hostname: zq1qz\n" in render(tmp_path, "zq2qz")["tiers/tier.yml"]


@pytest.mark.parametrize("key", ["null", "yes", "012", "a: b"])
def test_a_hostile_key_is_proven(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = f'[services.ui]\nimage = "x"\nlabels = {{ "{key}" = "v" }}\n'
    assert "services/ui.yml" in render(tmp_path, "x", more)

    quote = quoting.yaml_string
    monkeypatch.setattr(quoting, "yaml_string", lambda text: text if text == key else quote(text))
    with pytest.raises(InternalError, match="does not"):
        render(tmp_path, "x", more)


def test_a_comment_of_a_file_without_quotes_is_proven(tmp_path: Path) -> None:
    change(tmp_path, "# {{ variable.comment | comment }}", "# {{ variable.comment[1:] | comment }}", ENV_EXAMPLE)
    detail, file, _ = fault_of(tmp_path, more='environment.TOKEN = { env = "TOKEN" }\n')

    assert ".env.example does not say what the model says" in detail
    assert file.endswith(ENV_EXAMPLE)


@pytest.mark.parametrize("kept", [0, 3, 20, 60, 100])
def test_a_broken_cache_file_is_a_miss(kept: int, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    files = render(tmp_path, "x", cache=cache)
    compiled = [path for path in cache.rglob("*") if path.is_file()]
    assert compiled
    for path in compiled:
        path.write_bytes(path.read_bytes()[:kept])

    assert render(tmp_path, "x", cache=cache) == files
    assert all(path.stat().st_size > kept for path in compiled)


def test_the_cache_is_kept_apart_by_jinja_and_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = tmp_path / "rules.py"
    rules.write_text("other")
    first = jinja_env.TemplateCache(tmp_path).directory
    monkeypatch.setattr(template_lint, "__file__", str(rules))

    assert f"jinja-{jinja2.__version__}-" in first
    assert jinja_env.TemplateCache(tmp_path).directory != first


def test_a_difference_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(jinja_env.QUOTES, "yaml", str)
    with pytest.raises(InternalError):
        render(tmp_path, "a: b")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["hosts"]
    shutil.rmtree(tmp_path / "hosts")


def render_both(folder: Path, first: str, second: str) -> list[str]:
    """Render two inventories by one generator, the second by the first one's twins; return their tier's files."""
    generator = Generator()
    (folder / "hosts").mkdir()
    files = []
    for name, text in (("one", first), ("two", second)):
        path = folder / "hosts" / f"{name}.toml"
        path.write_text(text, "utf-8")
        files.append(generator.render(path).tree.files["tiers/tier.yml"])
    return files


PLAIN = INVENTORY % "plain"
SAME_SHAPE = PLAIN.replace("it's-$HOME", "other").replace('"plain"', '"also plain"').replace("models/m", "models/n")


def test_a_twin_is_shared_by_what_has_one_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[str] = []
    text = Renderer.text

    def recorded(renderer: Renderer, piece: RenderedFile, context: Mapping[str, object] | None = None) -> str:
        rendered.append(piece.path if context is None else f"twin of {piece.path}")
        return text(renderer, piece, context)

    monkeypatch.setattr(Renderer, "text", recorded)
    render_both(tmp_path, PLAIN, SAME_SHAPE)

    assert rendered.count("tiers/tier.yml") == 2
    assert rendered.count("twin of tiers/tier.yml") == 1


@pytest.mark.parametrize("value", [value for value in HOSTILE if value != "plain"])
def test_a_shared_twin_finds_a_broken_quoter(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(jinja_env.QUOTES, "yaml", str)
    plain = PLAIN.replace("it's-$HOME", "name")

    with pytest.raises(InternalError, match="does not"):
        render_both(tmp_path, plain, plain.replace("plain", value))


WIDE = [
    # What the template decides by, the second inventory, and what both files then say of it.
    ("stack.platform == 'wsl2'", '[host]\nplatform = "wsl2"\n', [False, True]),
    ("stack.tiers[1:]", '[tiers.more]\nengine = "vllm"\nport = 9\nmodel = { path = "/m" }\n', [False, True]),
    ("tier.context_length", "context_length = 9\n", [False, True]),
    ("tier.port == service.health.retries", "port = 3\n", [False, True]),
    ("tier.served_name == tier.name", "", [False, True]),
]


@pytest.mark.parametrize(("condition", "more", "said"), WIDE)
def test_a_twin_is_of_all_that_its_template_reads(condition: str, more: str, said: list[bool], tmp_path: Path) -> None:
    change(tmp_path, "    init: true\n", f"    init: true\n{{% if {condition} %}}\n    tty: true\n{{% endif %}}\n")
    second = PLAIN if more else PLAIN.replace("it's-$HOME", "tier")

    assert ["tty: true" in text for text in render_both(tmp_path, PLAIN, second + more)] == said


VALUE_CONDITIONS = [
    "stack.host == 'two'",
    "tier.served_name == 'other'",
    "service.environment[0].value[0] == 'a'",
    "tier.port == 9000",
]


@pytest.mark.parametrize("condition", VALUE_CONDITIONS)
def test_a_value_decides_nothing_in_a_shared_twin(condition: str, tmp_path: Path) -> None:
    change(tmp_path, "    init: true\n", f"    init: true\n{{% if {condition} %}}\n    tty: true\n{{% endif %}}\n")
    render(tmp_path, "plain")
    shutil.rmtree(tmp_path / "hosts")

    with pytest.raises(DiagnosticError) as caught:
        render_both(tmp_path, PLAIN, f"{SAME_SHAPE}port = 9000\n")
    assert "tiers/tier.yml does not say what the model says" in caught.value.diagnostics[0].detail


def test_a_value_that_becomes_a_key_of_the_template_is_found(tmp_path: Path) -> None:
    change(tmp_path, "    environment:\n", "    environment:\n      FIXED: x\n")

    with pytest.raises(DiagnosticError) as caught:
        render_both(tmp_path, PLAIN, PLAIN.replace("environment.X", "environment.FIXED"))
    assert "'FIXED' stands twice" in caught.value.diagnostics[0].detail


def test_a_fleet_is_rendered_as_each_host_alone() -> None:
    inventories = sorted((Path(__file__).parent.parent / "hosts").glob("*.toml"))
    together = Generator()

    for inventory in (*inventories, *reversed(inventories)):
        assert together.render(inventory).tree == Generator().render(inventory).tree
