"""Variables in typed fields and in Compose's own syntax: what is refused, where, and with which way on."""

from __future__ import annotations

from pathlib import Path

import pytest
from inventories import HUB, UUID_A, Fault, compared, faults_of

from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.decode import parse
from anvil_gen.inventory.toml_file import Document
from anvil_gen.values import VariableInteger, VariableString, VariableValue, compose_text, text_of

HEAD = f"schema = 1\nhfcache.volume = 'hub'\n[tiers.fast]\nengine = 'vllm'\nmodel = {HUB}\n"
FORM = "not of the right form"
TYPE = "wrong type"
RANGE = "number out of range"
PLAIN = "text that looks like a variable"
LITERAL = "variable where a value is needed"
NO_DEFAULT = "variable without a default"
IN_SERVICES = "[services.ui]\nimage = 'x'\n"

SLIPS: list[tuple[str, Fault]] = [
    # A default is of its field's own form.
    ("context_length = { env = 'LEN', default = ▸'many' }", (TYPE, "tiers.fast.context_length.default", "65536")),
    ("context_length = { env = 'LEN', default = ▸0 }", (RANGE, "tiers.fast.context_length.default", "Longest")),
    ("port = { env = 'P', default = ▸70000 }", (RANGE, "tiers.fast.port.default", "")),
    (
        "gpu_memory_utilization = { env = 'S', default = ▸1.5 }",
        (RANGE, "tiers.fast.gpu_memory_utilization.default", ""),
    ),
    ("restart = { env = 'R', default = ▸'allways' }", (FORM, "tiers.fast.restart.default", "always")),
    ("image = { env = 'I', default = ▸'a b' }", (FORM, "tiers.fast.image.default", "leave the default out")),
    ("bind = { env = 'B', default = ▸false }", (FORM, "tiers.fast.bind.default", "in quotes")),
    ("image = { env = 'I', default = ▸'a{b' }", (FORM, "tiers.fast.image.default", "may have a default")),
    ("context_length = { interpolate = ▸'${LEN:-8k}' }", (TYPE, "tiers.fast.context_length.interpolate", "write 8192")),
    ("port = { interpolate = ▸'${P:-0}' }", (RANGE, "tiers.fast.port.interpolate", "")),
    # What is reckoned with has a default.
    ("context_length = ▸{ env = 'LEN' }", (NO_DEFAULT, "tiers.fast.context_length", "default = …")),
    ("port = ▸{ interpolate = '1${P}' }", (NO_DEFAULT, "tiers.fast.port", "${NAME:-default}")),
    ("served_name = ▸{ env = 'N' }", (NO_DEFAULT, "tiers.fast.served_name", "default = …")),
    # What decides what is rendered is no variable.
    ("service = ▸{ env = 'N', default = 'a' }", (LITERAL, "tiers.fast.service", "write the value")),
    ("task = ▸{ interpolate = '${T:-chat}' }", (LITERAL, "tiers.fast.task", "write the value")),
    ("gpus = [▸{ env = 'G' }]", (LITERAL, "tiers.fast.gpus[0]", "write the value")),
    ("gpu_memory = ▸{ env = 'G', default = '2GiB' }", (LITERAL, "tiers.fast.gpu_memory", "write the value")),
    ("extra_arguments = ▸'--a b'", (FORM, "tiers.fast.extra_arguments", "write it in flags")),
    # References that are none.
    ("image = { ▸Env = 'I', default = 'x' }", (FORM, "tiers.fast.image.Env", 'did you mean "env"?')),
    ("image = { env = 'I', ▸defualt = 'x' }", (FORM, "tiers.fast.image.defualt", '"default"?')),
    ("image = { env = ▸'A-B' }", (FORM, "tiers.fast.image.env", '{ env = "NAME" }')),
    ("image = { default = ▸'x' }", (FORM, "tiers.fast.image.default", '{ env = "NAME" }')),
    ("image = { interpolate = ▸3 }", (FORM, "tiers.fast.image.interpolate", "in quotes")),
    ("image = { interpolate = 'a', env = ▸'X' }", (FORM, "tiers.fast.image.env", "${NAME:-default}")),
    # Compose's own syntax.
    *(
        (f"{key} = {{ interpolate = ▸'{text}' }}", (FORM, f"tiers.fast.{key}.interpolate", "$$ for a $"))
        for key in ("image", "flags.additional-config", "override.hostname", "environment.X")
        for text in ("a${X", "${X!}", "${1}", "${X:-${Y}", "${X:-{}}", "${X:=a}")
    ),
    (IN_SERVICES + "user = { interpolate = ▸'${X' }", (FORM, "services.ui.user.interpolate", "$$ for a $")),
    # A plain text never is a variable.
    ("environment.X = ▸'${Y}'", (PLAIN, "tiers.fast.environment.X", '{ env = "Y" }; for the text itself')),
    ("environment.X = ▸'$Y'", (PLAIN, "tiers.fast.environment.X", '{ interpolate = "$$Y" }')),
    ("environment.X = ▸'a${Y:-b}'", (PLAIN, "tiers.fast.environment.X", '{ interpolate = "a${Y:-b}" }')),
    ("override.hostname = ▸'${Y:-b}'", (PLAIN, "tiers.fast.override.hostname", '{ env = "Y", default = "b" }')),
    (IN_SERVICES + "volumes = ['a:/a', ▸'${D:-./x}:/x']", (PLAIN, "services.ui.volumes[1]", "interpolate")),
    (IN_SERVICES + "environment = [▸'A=${B}']", (PLAIN, "services.ui.environment[0]", '"A=${B}"')),
]


@pytest.mark.parametrize(("text", "diagnostic"), SLIPS)
def test_a_slip_is_reported_at_its_place(text: str, diagnostic: Fault, tmp_path: Path) -> None:
    found, wanted = compared(HEAD + text, [diagnostic], tmp_path)

    assert found == wanted


@pytest.mark.parametrize(
    "text",
    [
        "environment.X = 'pa$word'\noverride.labels.a = 'cost: $5, ${1} and $(id)'",
        "environment.X = { interpolate = '$${Y}' }",
        "flags.additional-config = '${Y}'",
        IN_SERVICES + "command = ['sh', '-c', 'echo $HOME']",
    ],
)
def test_a_dollar_may_be_literal(text: str, tmp_path: Path) -> None:
    assert faults_of(HEAD + text, tmp_path) == ()


def test_it_is_said_once_that_checks_reckon_with_defaults(tmp_path: Path) -> None:
    text = "▸port = { env = 'P', default = 8001 }\nrestart = { env = 'R' }\ncontext_length = { env = 'L', default = 9 }"
    text = text.replace("▸port = ", "port = ▸")
    fault = ("checks reckon with defaults", "tiers.fast.port", "anvil-gen doctor")
    found, wanted = compared(HEAD + text, [fault], tmp_path)

    assert found == wanted
    [warning] = faults_of(HEAD + text.replace("▸", ""), tmp_path)
    assert warning.severity == "warning"
    assert "tiers.fast.context_length, tiers.fast.port" in warning.detail


def test_checks_reckon_with_the_default(tmp_path: Path) -> None:
    text = f"{HEAD}port = 8001\n[tiers.slow]\nengine = 'vllm'\nmodel = {HUB}\nport = {{ env = 'P', default = 8001 }}\n"

    assert "port-taken-twice" in {diagnostic.code for diagnostic in faults_of(text, tmp_path)}


@pytest.mark.parametrize(
    ("kind", "more", "place"),
    [
        ("haproxy", "served_name = { env = 'N', default = 'n' }", "tiers.fast.served_name"),
        ("anvil", "context_length = { env = 'N', default = 9 }", "tiers.fast.context_length"),
    ],
)
def test_what_the_files_of_a_router_say_is_no_variable(kind: str, more: str, place: str, tmp_path: Path) -> None:
    found = faults_of(f"{HEAD}{more}\n[router]\nkind = '{kind}'\n", tmp_path)

    assert [(one.code, one.address) for one in found] == [("variable-where-a-value-is-needed", place)]


def test_a_secret_is_no_default(tmp_path: Path) -> None:
    [found] = faults_of(HEAD + "environment.HF_TOKEN = { env = 'T', default = 'hf_1234' }", tmp_path)

    assert found.code == "secret-in-the-inventory"
    assert "hf_1234" not in found.detail + found.remedy


def test_a_value_is_its_default_and_is_written_as_its_variable(tmp_path: Path) -> None:
    path = tmp_path / "box.toml"
    more = "port = { env = 'P', default = 8001 }\nimage = { interpolate = 'a:${T}' }\nenvironment.X = { env = 'X' }\n"
    path.write_text(f"{HEAD}{more}[gpus.a]\nuuid = {{ env = 'G', default = '{UUID_A}' }}", "utf-8")
    inventory = parse(Collector(Document(path)))
    tier, gpu = inventory.tiers["fast"], inventory.gpus["a"]
    found = (tier.port, tier.image, tier.environment["X"], gpu.uuid)  # type: ignore[index]

    assert [type(value) for value in found] == [VariableInteger, VariableString, VariableString, VariableString]
    assert found == (8001, "", "", UUID_A)
    assert all(isinstance(value, VariableValue) and value for value in found)
    assert [compose_text(text_of(value)) for value in found] == ["${P:-8001}", "a:${T}", "${X}", f"${{G:-{UUID_A}}}"]
