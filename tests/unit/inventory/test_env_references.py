"""Values where an inventory takes anything: references, plain tables, and mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from inventories import HUB, Fault, compared

from anvil_gen.deploy.pipeline import Generator

HEAD = f"schema = 1\nhfcache.volume = 'hub'\n[tiers.fast]\nengine = 'vllm'\nmodel = {HUB}\n"
FORM = "not of the right form"

SLIPS: list[tuple[str, Fault]] = [
    (
        'flags.additional-config = { env = ▸"A B" }',
        (FORM, "tiers.fast.flags.additional-config.env", '{ env = "NAME" }'),
    ),
    (
        'flags.additional-config = { env = ▸"1A", default = "x" }',
        (FORM, "tiers.fast.flags.additional-config.env", '{ env = "NAME" }'),
    ),
    ("flags.additional-config = { env = ▸3 }", (FORM, "tiers.fast.flags.additional-config.env", '{ env = "NAME" }')),
    (
        'flags.additional-config = { env = "A", ▸defualt = "x" }',
        (FORM, "tiers.fast.flags.additional-config.defualt", 'did you mean "default"?'),
    ),
    (
        'flags.additional-config = { ▸Env = "A", default = "x" }',
        (FORM, "tiers.fast.flags.additional-config.Env", 'did you mean "env"?'),
    ),
    (
        'flags.additional-config = { ▸envs = "A", default = "x" }',
        (FORM, "tiers.fast.flags.additional-config.envs", 'did you mean "env"?'),
    ),
    (
        'flags.additional-config = { env = "A", default = ▸3 }',
        (FORM, "tiers.fast.flags.additional-config.default", "in quotes"),
    ),
    (
        'flags.additional-config = { env = "A", default = ▸"}" }',
        (FORM, "tiers.fast.flags.additional-config.default", "may have a default"),
    ),
    (
        'flags.middleware = ["y", { env = ▸"A-B" }]',
        (FORM, "tiers.fast.flags.middleware[1].env", '{ env = "NAME" }'),
    ),
    ('override.image = { env = "A", ▸defaults = "x" }', (FORM, "tiers.fast.override.image.defaults", '"default"?')),
    ('override.labels.a = { env = ▸"A B" }', (FORM, "tiers.fast.override.labels.a.env", '{ env = "NAME" }')),
    (
        "override.devices = [{ source = { env = ▸'a b' }, target = '/x' }]",
        (FORM, "tiers.fast.override.devices[0].source.env", "NAME"),
    ),
    ('[defaults]\nflags.additional-config = { env = ▸"A B" }', (FORM, "defaults.flags.additional-config.env", "NAME")),
    ('[router]\noverride.hostname = { env = ▸"A B" }', (FORM, "router.override.hostname.env", "NAME")),
    (
        '[experiment]\nengine = "vllm"\nflags.additional-config = { env = ▸"A B" }',
        (FORM, "experiment.flags.additional-config.env", "NAME"),
    ),
    ("override.x-stop = [{ at = ▸07:32:00 }]", ("wrong type", "tiers.fast.override.x-stop[0].at", "in quotes")),
    ("[services.ui]\nimage = 'x'\nlabels.x = ▸2020-01-01", ("wrong type", "services.ui.labels.x", "in quotes")),
    *(
        (text, ("name that is not allowed", where, "write another name"))
        for text, where in (
            ('override.environment.▸"A=B" = "1"', 'tiers.fast.override.environment."A=B"'),
            ('override.environment = ["A=B", ▸"=C"]', "tiers.fast.override.environment[1]"),
            ('[router]\noverride.environment.▸"" = "1"', 'router.override.environment.""'),
            ('[services.ui]\nimage = "x"\nenvironment.▸"=" = "1"', 'services.ui.environment."="'),
            ('[defaults]\noverride.environment.▸"A=" = "1"', 'defaults.override.environment."A="'),
        )
    ),
    ('[services.ui]\nimage = { env = ▸"A B" }', (FORM, "services.ui.image.env", "NAME")),
]


@pytest.mark.parametrize(("text", "diagnostic"), SLIPS)
def test_a_slip_is_reported(text: str, diagnostic: Fault, tmp_path: Path) -> None:
    found, wanted = compared(HEAD + text, [diagnostic], tmp_path)

    assert found == wanted


def test_a_slip_is_reported_whatever_else_is_wrong(tmp_path: Path) -> None:
    text = "schema = 1\n[tiers.Fast]\nengine = 'vlm'\nflags.additional-config = { env = ▸'A B' }\n".replace(
        "'vlm'", "▸'vlm'"
    )
    marked = text.replace("Fast", "Fast").replace("[tiers", "[▸tiers")
    expected: list[Fault] = [
        ("name that is not allowed", "tiers.Fast", "write tiers.fast"),
        ("unknown engine", "tiers.Fast.engine", 'did you mean "vllm"?'),
        (FORM, "tiers.Fast.flags.additional-config.env", "NAME"),
    ]
    found, wanted = compared(marked, expected, tmp_path)

    assert found == wanted


PLAIN: list[tuple[str, str, Any]] = [
    ('flags.additional-config = { env = { A = "1" } }', "command", '--additional-config={"env":{"A":"1"}}'),
    ('flags.additional-config = { default = "y" }', "command", '--additional-config={"default":"y"}'),
    (
        'flags.additional-config = { env = "prod", zone = "a" }',
        "command",
        '--additional-config={"env":"prod","zone":"a"}',
    ),
    (
        'flags.additional-config = { env = "A", required = "yes" }',
        "command",
        '--additional-config={"env":"A","required":"yes"}',
    ),
    ('flags.additional-config = { a = { env = "a b" } }', "command", '--additional-config={"a":{"env":"a b"}}'),
    ('flag_check = false\nflags.env = "x"\nflags.default = "y"', "command", "--env=x"),
    ('override.labels.env = "prod"', "labels", {"env": "prod"}),
    ('override.environment.env = "a b"', "environment", {"env": "a b"}),
    ('override.logging.options.env = "A,B"', "logging", None),
    ('override.labels.env = { env = "X" }', "labels", {"env": "${X}"}),
    ('override.x-env = "X"', "x-env", "X"),
]


@pytest.mark.parametrize(("text", "key", "expected"), PLAIN)
def test_a_table_that_only_looks_like_one(text: str, key: str, expected: Any, tmp_path: Path) -> None:
    (tmp_path / "box.toml").write_text(HEAD + text, "utf-8")
    data = yaml.safe_load(Generator().render(tmp_path / "box.toml").tree.files["tiers/fast.yml"])
    said = data["services"]["fast"][key]

    if key == "command":
        assert expected in said
    elif key == "logging":
        assert said["options"]["env"] == "A,B"
    else:
        assert said == expected
