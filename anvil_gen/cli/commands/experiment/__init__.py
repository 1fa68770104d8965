"""``anvil-gen experiment``: the slot for trying a model."""

from __future__ import annotations

import click

from anvil_gen.cli.lazy_group import LazyGroup

VERBS = ("up", "status", "logs", "promote", "down")
"""The verbs of the slot, in the order of the help text."""


@click.group("experiment", cls=LazyGroup, package=__name__, verbs=VERBS)
def command() -> None:
    """Try a model in a host's experiment slot, beside its tiers.

    The slot is one container in a compose project of its own, by the rendered docker-compose.experiment.yml: a new
    trial takes the place of the one before it.

    \b
    Examples:
      anvil-gen experiment up fakoli-dark openai/gpt-oss-20b
      anvil-gen experiment up fakoli-dark org/name --port 30005 -- --max-model-len 8192
      anvil-gen experiment status fakoli-dark
      anvil-gen experiment promote fakoli-dark coder    the trial becomes a tier
    """
