"""The environment variables of a rendered tree, and those that drive the experiment slot."""

from msgspec import Struct

VARIABLE_LABEL = "anvil-gen.trial."
"""Prefix of the labels that carry the variables which a trial was started with."""
TRIAL_VARIABLES = {
    "MODEL": "The model to try: a repository of the hub.",
    "SERVED_NAME": "The name that it answers to.",
    "PORT": "The port, in the container and on the host alike.",
    "GPU_UUID": "The card to try it on.",
    "EXTRA_ARGS": "Further arguments of the engine, as in a shell line.",
}
"""What drives the slot, each with its meaning."""


class Variable(Struct, frozen=True, kw_only=True):
    """An environment variable that the rendered tree reads."""

    name: str
    comment: str
    file: str  # the rendered file that reads it
    standing: bool = False  # set once in `.env`, and not for each command
