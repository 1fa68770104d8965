"""``anvil-gen experiment``: the slot in which models are tried."""

from __future__ import annotations

import click

from anvil_gen.cli.lazy_group import LazyGroup

VERBS = ("up", "status", "logs", "promote", "down")
"""The commands of the slot, in the order of the help text."""


@click.group("experiment", cls=LazyGroup, package=__name__, verbs=VERBS)
def command() -> None:
    """Try a model in a host's experiment slot, next to its tiers.

    The slot is one container in its own Compose project, started from the rendered docker-compose.experiment.yml. A
    new trial replaces the previous one.

    \b
    Examples:
      anvil-gen experiment up fakoli-dark openai/gpt-oss-20b
      anvil-gen experiment up fakoli-dark org/name --port 30005 -- --max-model-len 8192
      anvil-gen experiment status fakoli-dark
      anvil-gen experiment promote fakoli-dark coder    add the trial to the inventory as a tier
    """
