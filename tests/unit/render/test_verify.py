"""A template that renders something else than the model is refused, whatever is wrong with it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest
from places import REPOSITORY

from anvil_gen.catalog.catalog import shipped_catalog
from anvil_gen.catalog.defaults import shipped_templates
from anvil_gen.deploy.pipeline import Generator
from anvil_gen.diagnostics import DiagnosticError, InternalError
from anvil_gen.render import jinja_env, quoting, template_lint
from anvil_gen.render.renderer import shipped_renderer

INVENTORY = """
schema = 1
[tiers.tier]
engine = "vllm"
model = { path = "/models/m" }
served_name = "it's-$HOME"
environment.X = "%s"
restart = "no"
"""
HOSTILE = [
    "plain",
    "a: b",
    "x #y",
    "null",
    "1e3",
    "line\\nbreak",
    "a ${1} $HOME",
    "it's",
    '\\"',
    "- a",
    "\\u0085",
    "{a: b}",
]


COMPILED = Path(tempfile.mkdtemp(prefix="anvil-gen-test-templates-"))
"""Of the shipped templates, which each fleet with one of its own would compile again."""


def forget() -> None:
    """Read and compile again what the process shares, as the next one does."""
    shipped_catalog.cache_clear()
    shipped_renderer.cache_clear()


@pytest.fixture
def broken_quoter(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Break what quotes YAML, for environments that are made during the test."""
    forget()
    monkeypatch.setitem(jinja_env.QUOTES, "yaml", str)
    yield
    forget()


def render(folder: Path, value: str, more: str = "", cache: Path = COMPILED) -> dict[str, str]:
    """Render an inventory that holds ``value``."""
    (folder / "hosts").mkdir(exist_ok=True)
    inventory = folder / "hosts" / "box.toml"
    inventory.write_text(INVENTORY % value + more, "utf-8")
    return dict(Generator(cache=cache).render(inventory).tree.files)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_is_rendered(value: str, tmp_path: Path) -> None:
    assert "tiers/tier.yml" in render(tmp_path, value)


@pytest.mark.usefixtures("broken_quoter")
@pytest.mark.parametrize("value", [value for value in HOSTILE if value != "plain"])
def test_a_broken_quoter_is_found(value: str, tmp_path: Path) -> None:
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

    assert detail.startswith("tiers/tier.yml does not match the inventory at services.tier.")
    assert file.endswith("templates/compose/service.yml.j2")


FULL = """
gpus = ["gpu"]
files."/in/x" = "box.toml"
shm_size = "16g"
ipc = "host"
environment.Y = "a$y"
mounts."/media" = { source = "/srv/$v", selinux = "z" }
networks = ["default"]
[gpus.gpu]
uuid = "GPU-d0f446cf-1771-414c-e116-a39138798a8c"
"""
SERVICE = "compose/service.yml.j2"
PORTS = "compose/ports.yml.j2"
MOUNTS = "compose/mounts.yml.j2"
UPKEEP = "compose/upkeep.yml.j2"
LOGGING = "compose/logging.yml.j2"
RESERVATION = "gpus/nvidia/reservation.yml.j2"
DEVICES = "deploy.resources.reservations.devices"
ALTERED = [
    # The template, its line, what stands there instead, and the key at which the file differs then.
    (SERVICE, "    container_name: {{ service.container_name }}\n", "", "container_name"),
    (SERVICE, "{{ service.container_name }}", "{{ service.image }}", "container_name"),
    (SERVICE, "    image: {{ service.image }}\n", "    image: mine\n", "image"),
    (SERVICE, "    image: {{ service.image }}\n", "", "image"),
    (SERVICE, "    restart: {{ service.restart }}\n", "", "restart"),
    (SERVICE, "    restart: {{ service.restart }}\n", "    restart: no\n", "restart"),
    (SERVICE, "    stop_grace_period: {{ service.stop_grace_period }}\n", "", "stop_grace_period"),
    (SERVICE, "{{ service.stop_grace_period }}", "{{ service.health.interval }}", "stop_grace_period"),
    (SERVICE, "    ipc: {{ service.ipc }}\n", "", "ipc"),
    (SERVICE, "    ipc: {{ service.ipc }}\n", "    ipc: {{ service.shm_size }}\n", "ipc"),
    (SERVICE, "    shm_size: {{ service.shm_size }}\n", "", "shm_size"),
    (SERVICE, "    shm_size: {{ service.shm_size }}\n", "    shm_size: 17179869184\n", "shm_size"),
    (SERVICE, "{% for argument in service.entrypoint %}", "{% for argument in service.entrypoint[1:] %}", "entrypoint"),
    (SERVICE, "{% for argument in service.entrypoint %}", "{% for argument in service.command %}", "entrypoint"),
    (SERVICE, "{% for argument in service.command %}", "{% for argument in service.command[1:] %}", "command"),
    (SERVICE, "{% for argument in service.command %}", "{% for argument in service.command[::-1] %}", "command[0]"),
    (
        SERVICE,
        "{% for variable in service.environment %}",
        "{% for variable in service.environment[:-1] %}",
        "environment.Y",
    ),
    (SERVICE, ": {{ variable.value }}", ": {{ variable.name }}", "environment.CUDA_DEVICE_ORDER"),
    (SERVICE, ": {{ variable.value }}", ": {{ variable.value.replace('$', '') }}", "environment.Y"),
    (SERVICE, ": {{ variable.value }}", ":", "environment.CUDA_DEVICE_ORDER"),
    (SERVICE, '{% include "compose/ports.yml.j2" %}\n', "", "ports"),
    (PORTS, "{{ port.spec }}", "{{ port.number }}", "ports[0]"),
    (PORTS, "{{ port.spec }}", "{{ port.spec }}\n      - 1:1", "ports"),
    (MOUNTS, "{% for mount in service.mounts %}", "{% for mount in service.mounts[1:] %}", "volumes"),
    (MOUNTS, "        read_only: true\n", "        read_only: false\n", "volumes"),
    (MOUNTS, "        read_only: true\n", "", "volumes"),
    (MOUNTS, "source: {{ mount.source }}", "source: {{ mount.target }}", "volumes"),
    (MOUNTS, "create_host_path: false", "create_host_path: true", "volumes"),
    (MOUNTS, "          selinux: {{ mount.selinux }}\n", "", "volumes"),
    (SERVICE, "{{ service.networks | block(6) }}", "      - other", "networks[0]"),
    (SERVICE, "{% if service.gpus %}", "{% if not service.gpus %}", DEVICES),
    (RESERVATION, "{{ device_id }}", "{{ service.gpus.vendor }}", f"{DEVICES}[0].device_ids[0]"),
    (
        RESERVATION,
        "              capabilities",
        "              count: 1\n              capabilities",
        f"{DEVICES}[0].count",
    ),
    (SERVICE, "{% for name, value in service.labels %}", "{% for name, value in service.labels[1:] %}", "labels"),
    (SERVICE, "{{ name | key }}: {{ value }}", "{{ name | key }}: {{ name }}", "labels"),
    (SERVICE, '{% include "compose/upkeep.yml.j2" %}', "", "healthcheck"),
    (UPKEEP, "{% for part in service.health.test %}", "{% for part in service.health.test[:-1] %}", "healthcheck.test"),
    (UPKEEP, "{{ service.health[key] }}", "{{ service.health.timeout }}", "healthcheck.interval"),
    (UPKEEP, "{{ service.health[key] }}", "{{ service.health[key] ~ '' }}", "healthcheck.retries"),
    (UPKEEP, '"start_period", ', "", "healthcheck.start_period"),
    (LOGGING, "service.logging.options.items()", "{}.items()", "logging.options"),
    (LOGGING, "      driver: {{ service.logging.driver }}\n", "", "logging.driver"),
]


@pytest.mark.parametrize(("template", "old", "new", "key"), ALTERED)
def test_a_template_that_alters_a_key_is_refused(template: str, old: str, new: str, key: str, tmp_path: Path) -> None:
    change(tmp_path, old, new, template)
    detail, file, _ = fault_of(tmp_path, more=FULL)

    assert detail.startswith(f"tiers/tier.yml does not match the inventory at services.tier.{key}")
    assert file.endswith(f"templates/{template}")


UI = "services/ui.yml"
SLOT = "docker-compose.experiment.yml"
FILE_KEYS = [
    # The template, its line, what stands there instead, and the file and key that differ then.
    ("tier", "name: {{ stack.project }}\n", "", "tiers/tier.yml", "name"),
    ("experiment", '{% include "compose/volumes.yml.j2" %}\n', "", SLOT, "volumes.hub"),
    ("tier", "{{ service.name | key }}", "{{ stack.host | key }}", "tiers/tier.yml", "services.tier"),
    ("root", "name: {{ stack.project }}\n", "name: x\n", "docker-compose.yml", "name"),
    ("root", '  - {{ "tiers/" ~ tier.name ~ ".yml" }}\n', "", "docker-compose.yml", "include"),
    ("root", '"services/"', '"tiers/"', "docker-compose.yml", "include"),
    ("extra", "name: {{ stack.project }}\n", "", UI, "name"),
    ("extra", "{{ extra.mapping | block(4) }}", "    image: x", UI, "services.ui.labels"),
    ("experiment", "{{ experiment.project }}\n\nservices", "{{ stack.project }}\n\nservices", SLOT, "name"),
    (
        "service",
        "{{ service.shell_words | folded(6) }}",
        "{{ service.shell_words[1:] | folded(6) }}",
        SLOT,
        "services.experiment.co",
    ),
]


@pytest.mark.parametrize(("template", "old", "new", "path", "key"), FILE_KEYS)
def test_a_template_that_alters_a_file_is_refused(  # noqa: PLR0917
    template: str, old: str, new: str, path: str, key: str, tmp_path: Path
) -> None:
    change(tmp_path, old, new, f"compose/{template}.yml.j2")
    more = (
        '[services.ui]\nimage = "x"\nlabels = { a = "a$b" }\n[experiment]\nengine = "vllm"\n[hfcache]\nvolume = "hub"\n'
    )
    detail, file, _ = fault_of(tmp_path, more=more)

    assert detail.startswith(f"{path} does not match the inventory at {key}")
    assert file.endswith(f"templates/compose/{template}.yml.j2")


ROUTER = """port = 8100
[router]
kind = "haproxy"
image = "own/router:1"
api_key_env = "KEY"
tls = { certificate = "/c.pem", key = "/k.pem" }
"""
ROUTER_KEYS = [
    ("  {{ router.service | key }}:", "  another:", ""),
    ("    container_name: {{ router.container_name }}\n", "", ".container_name"),
    ("{{ router.image }}", "{{ router.container_name }}", ".image"),
    ("    image: {{ router.image }}\n", "", ".image"),
    ("    restart: {{ router.restart }}\n", "    restart: always\n", ".restart"),
    ("    stop_grace_period: {{ router.stop_grace_period }}\n", "", ".stop_grace_period"),
    (
        "      {{ variable | key }}:\n",
        "      {{ variable | key }}: {{ variable }}\n",
        ".environment.KEY",
    ),
    ('{% include "compose/ports.yml.j2" %}\n', "", ".ports"),
    ("{{ router.limits.tls.key }}", "{{ router.limits.tls.certificate }}", ".volumes"),
    ('{% include "compose/upkeep.yml.j2" %}\n', "", ".healthcheck"),
]


@pytest.mark.parametrize(("old", "new", "key"), ROUTER_KEYS)
def test_a_template_that_alters_a_router_is_refused(old: str, new: str, key: str, tmp_path: Path) -> None:
    change(tmp_path, old, new, "routers/haproxy/tree/router/compose.yml.j2")
    detail, file, _ = fault_of(tmp_path, more=ROUTER)

    assert detail.startswith(f"router/compose.yml does not match the inventory at services.router{key}")
    assert file.endswith("routers/haproxy/tree/router/compose.yml.j2")


def test_what_an_override_says_may_stand_otherwise(tmp_path: Path) -> None:
    change(tmp_path, "    image: {{ service.image }}\n", "    image: mine\n")

    assert "image: other\n" in render(tmp_path, "x", 'override.image = "other"\n')["tiers/tier.yml"]


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    change(tmp_path, "    init: true\n", "    init: true\n    init: true\n")

    assert "'init' is there twice" in fault_of(tmp_path)[0]
    assert "'init' is there twice" in fault_of(tmp_path, more='override.image = "other"\n')[0]


INIT = (shipped_templates() / "compose" / "service.yml.j2").read_text("utf-8").split("\n").index("    init: true") + 1
FAULTS = [
    ("    init: true\n", "    init: {{ service.name + 1 }}\n", INIT),
    ("    init: true\n", "    init: {{ 1/0 }}\n", INIT),
    ("    init: true\n", "    init: {{ service.name | folded }}\n", INIT),
    ("    init: true\n", "    {{ service.shm_size | key }}: 1\n", INIT),
    ("    init: true\n", "    init: {{ nope }}\n", INIT),
    ("    init: true\n", "    shm_size: {{ service.shm_size }}\n", INIT),
    ("    init: true\n", "    init: {{ service.health }}\n", INIT),
    ("    init: true\n", "    init: {% nope %}\n", INIT),
    ("    init: true\n", '{% include "nope" %}\n', INIT),
    ("    init: true\n", "    init: 'x{{ nope }}'\n", INIT),
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

    assert (detail, line) == ("it is not UTF-8", INIT)
    assert file.endswith("templates/compose/service.yml.j2")


@pytest.mark.parametrize("key", ["null", "yes", "012", "a: b"])
def test_a_hostile_key_is_rendered(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = f'[services.ui]\nimage = "x"\nlabels = {{ "{key}" = "v" }}\n'
    assert "services/ui.yml" in render(tmp_path, "x", more)

    quote = quoting.yaml_string
    monkeypatch.setattr(quoting, "yaml_string", lambda text: text if text == key else quote(text))
    with pytest.raises(InternalError, match="does not"):
        render(tmp_path, "x", more)


@pytest.mark.parametrize("kept", [0, 3, 20, 60, 100])
def test_a_broken_cache_file_is_a_miss(kept: int, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    files = render(tmp_path, "x", cache=cache)
    compiled = [path for path in cache.rglob("*") if path.is_file()]
    assert compiled
    for path in compiled:
        path.write_bytes(path.read_bytes()[:kept])

    forget()
    assert render(tmp_path, "x", cache=cache) == files
    assert all(path.stat().st_size > kept for path in compiled)


def test_the_cache_is_kept_apart_by_jinja_and_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = tmp_path / "rules.py"
    rules.write_text("other")
    first = jinja_env.TemplateCache(tmp_path, "yaml").directory
    other = jinja_env.TemplateCache(tmp_path, "cfg").directory
    monkeypatch.setattr(template_lint, "__file__", str(rules))

    assert f"jinja-{jinja2.__version__}-" in first
    assert len({first, other, jinja_env.TemplateCache(tmp_path, "yaml").directory}) == 3


@pytest.mark.usefixtures("broken_quoter")
def test_a_difference_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(InternalError):
        render(tmp_path, "a: b")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["hosts"]
    shutil.rmtree(tmp_path / "hosts")


def test_a_value_that_becomes_a_key_of_the_template_is_found(tmp_path: Path) -> None:
    change(tmp_path, "    environment:\n", "    environment:\n      FIXED: x\n")

    assert "'FIXED' is there twice" in fault_of(tmp_path, more='environment.FIXED = "y"\n')[0]


def test_a_fleet_is_rendered_as_each_host_alone() -> None:
    inventories = sorted((REPOSITORY / "hosts").glob("*.toml"))
    together = Generator()

    for inventory in (*inventories, *reversed(inventories)):
        tree = together.render(inventory).tree
        forget()
        assert tree == Generator().render(inventory).tree


@pytest.mark.parametrize("more", ['override.labels = ["a=b"]', '[router]\noverride.environment = ["A=b"]'])
def test_a_list_in_place_of_a_mapping_that_the_service_has_not_is_what_the_model_says(
    tmp_path: Path, more: str
) -> None:
    path = tmp_path / "box.toml"
    path.write_text(f"{INVENTORY % 'x'}{more}\n", "utf-8")

    files = Generator().render(path).tree.files
    assert "      - A=b\n" in files.get("router/compose.yml", "") or "      - a=b\n" in files["tiers/tier.yml"]
