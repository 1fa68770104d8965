"""Compose's own keys in an inventory: each mistake at its place, in overrides, services, volumes and networks."""

from __future__ import annotations

from pathlib import Path

import pytest
from inventories import Fault, compared, faults_of

TIER = "engine = 'custom', image = 'x/y:1', port = 9000"
HEAD = "schema = 1\n"
BOX = f"tiers.ab = {{ {TIER}, service = 'served' }}\n"
FORM, TYPE, KEY = "not of the right form", "wrong type", "unknown key"
REFERENCE, CONFLICT = "reference to something undefined", "conflicting values"

IN_A_SERVICE: list[tuple[str, Fault]] = [
    ("▸imag = 'y'", (KEY, "services.ui.imag", 'did you mean "image"?')),
    ("init = ▸'maybe'", (FORM, "services.ui.init", "true or false")),
    ("init = ▸1", (TYPE, "services.ui.init", "")),
    ("mem_limit = ▸'8 gigs'", (FORM, "services.ui.mem_limit", 'write "8g"')),
    ("cpus = ▸nan", ("number out of range", "services.ui.cpus", "a number that is")),
    ("x-mine.a = [▸inf]", ("number out of range", "services.ui.x-mine.a[0]", "a number that is")),
    ("stop_grace_period = ▸'10'", (FORM, "services.ui.stop_grace_period", 'write "10s"')),
    (
        "stop_grace_period = { env = 'X', default = ▸'10' }",
        (FORM, "services.ui.stop_grace_period.default", 'write "10s"'),
    ),
    ("user = ▸1000", (TYPE, "services.ui.user", 'write it in quotes: "1000"')),
    ("restart = ▸false", (TYPE, "services.ui.restart", '"false"')),
    ("pull_policy = ▸'alway'", ("not one of the choices", "services.ui.pull_policy", 'did you mean "always"?')),
    ("ports = ['1:1', ▸'1:2:3']", (FORM, "services.ui.ports[1]", "127.0.0.1:8080:80")),
    ("ports = [▸'99999:1']", (FORM, "services.ui.ports[0]", "127.0.0.1:8080:80")),
    ("volumes = [▸'a b:/c']", (FORM, "services.ui.volumes[0]", "or a path")),
    ("volumes = [▸{ type = 'bind', target = '/a' }]", (FORM, "services.ui.volumes[0]", "write source")),
    ("healthcheck.test = ▸['curl']", (FORM, "services.ui.healthcheck.test", '"CMD-SHELL"')),
    ("healthcheck.▸intervall = '1s'", (KEY, "services.ui.healthcheck.intervall", '"interval"')),
    ("command = ▸'a \"b'", (FORM, "services.ui.command", "write a list")),
    ("command = ▸'a && b'", (FORM, "services.ui.command", "write a list")),
    ("group_add = ['44', ▸'44']", (FORM, "services.ui.group_add[1]", "remove one")),
    ("networks = [▸'own']", ("unknown network", "services.ui.networks[0]", "add a table [networks.own]")),
    ("depends_on = [▸'serve']", (REFERENCE, "services.ui.depends_on[0]", 'did you mean "served"?')),
    ("depends_on = [▸'ab']", (REFERENCE, "services.ui.depends_on[0]", 'write "served"')),
    ("links = [▸'db:x']", (REFERENCE, "services.ui.links[0]", "there are: served, ui")),
    ("volumes_from = [▸'db:ro']", (REFERENCE, "services.ui.volumes_from[0]", "there are: served, ui")),
    ("network_mode = ▸'service:db'", (REFERENCE, "services.ui.network_mode", "there are: served, ui")),
    ("configs = [▸'c']", (REFERENCE, "services.ui.configs[0]", "add a table [configs.c]")),
    ("network_mode = ▸'host'\nnetworks = ['default']", (CONFLICT, "services.ui.network_mode", "keep one of them")),
    ("mem_limit = ▸'1g'\ndeploy.resources.limits.memory = '2g'", (CONFLICT, "services.ui.mem_limit", "keep one")),
    ("container_name = 'aa'\nscale = ▸2", (CONFLICT, "services.ui.scale", "remove it")),
    ("depends_on = [▸'ui']", ("dependency cycle", "services.ui.depends_on[0]", "remove one of them")),
    ("environment.▸API_KEY = 'k'", ("secret in the inventory", "services.ui.environment.API_KEY", "{ env =")),
    ("environment = [▸'A_TOKEN=k']", ("secret in the inventory", "services.ui.environment[0]", "{ env =")),
]


@pytest.mark.parametrize(("text", "expected"), IN_A_SERVICE)
def test_a_mistake_in_a_service(text: str, expected: Fault, tmp_path: Path) -> None:
    found, wanted = compared(f"{HEAD}{BOX}[services.ui]\nimage = 'x'\n{text}\n", [expected], tmp_path)

    assert found == wanted


ELSEWHERE: list[tuple[str, list[Fault]]] = [
    (
        f"tiers.ab = {{ {TIER}, override = {{ ▸mem_limt = '8g', init = ▸'maybe', ports.add = [▸'1:2:3'] }} }}",
        [
            (KEY, "tiers.ab.override.mem_limt", '"mem_limit"'),
            (FORM, "tiers.ab.override.init", "true or false"),
            (FORM, "tiers.ab.override.ports.add[0]", "127.0.0.1"),
        ],
    ),
    (f"{BOX}[defaults.override]\nlabels = ▸3", [(TYPE, "defaults.override.labels", "")]),
    (
        f"{BOX}[router.override]\nnetworks = ['default', ▸'own']",
        [("unknown network", "router.override.networks[1]", "[networks.own]")],
    ),
    (f"{BOX}[▸services.ui]\nlabels.a = 'b'", [("missing key", "services.ui", "write image")]),
    (
        f"tiers.ab = {{ {TIER}, override.image = ▸false }}",
        [(CONFLICT, "tiers.ab.override.image", "keep one of them")],
    ),
    (
        f"tiers.ab = {{ {TIER}, override.deploy.replicas = ▸2 }}",
        [(CONFLICT, "tiers.ab.override.deploy.replicas", "the container's name")],
    ),
    (
        f"{BOX}tiers.cd = {{ {TIER}, standby = true, service = 'late', bind = false }}\n"
        "[services.ui]\nimage = 'x'\ndepends_on = [▸'late']",
        [("not in this mode", "services.ui.depends_on[0]", "in every mode")],
    ),
    (
        "paths.models = '/m'\ntiers.ab = { engine = 'vllm', model.path = 'x', override.volumes = ▸false }",
        [("mount that the command names is dropped", "tiers.ab.override.volumes", "merge by their target")],
    ),
]


@pytest.mark.parametrize(("text", "expected"), ELSEWHERE)
def test_a_mistake_elsewhere(text: str, expected: list[Fault], tmp_path: Path) -> None:
    found, wanted = compared(f"{HEAD}{text}\n", expected, tmp_path)

    assert found == wanted


FINE = [
    "init = { env = 'INIT' }\nmem_limit = { env = 'LIMIT', default = '8g' }\npull_policy = { env = 'PULL' }",
    "dns = [{ env = 'DNS' }]\nlabels = { env = 'prod' }\nx-mine = { any = [1] }",
    "cpus = 1.5\nenvironment = ['A=1', 'B']\nports = [80, { target = 81 }]",
    "depends_on.served = { condition = 'service_healthy' }\nnetwork_mode = 'service:served'",
    "command = 'a \"b c\" $(d)'\nentrypoint = []\nsecurity_opt = []",
    "environment.API_KEY = { env = 'API_KEY' }",
]


@pytest.mark.parametrize("text", FINE)
def test_what_compose_takes(text: str, tmp_path: Path) -> None:
    assert faults_of(f"{HEAD}{BOX}[services.ui]\nimage = 'x'\n{text}\n", tmp_path) == ()
