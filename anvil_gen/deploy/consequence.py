"""What a rollout does to a service, and the words and the symbol by which every verb tells it."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct


class Wording(Struct, frozen=True, kw_only=True):
    """How a consequence is told: by a symbol, once it has happened, and what it is for the service's users."""

    symbol: str
    done: str
    meaning: str = ""


class Consequence(Enum):
    """What a rollout does to a service, by the word for it."""

    RECREATE = "recreate"
    STOP = "stop"
    START = "start"
    RELOAD = "reload"
    PULL_OR_BUILD = "none until pulled or rebuilt"
    NONE = "none"

    @property
    def wording(self) -> Wording:
        """How it is told."""
        return _WORDINGS[self]


_STAYS = "the running container stays"
_WORDINGS = {
    Consequence.RECREATE: Wording(symbol="~", done="recreated", meaning="away until its new container is ready"),
    Consequence.STOP: Wording(
        symbol="-",
        done="removed",
        meaning="runs on, with its GPUs and ports, until `anvil-gen up` or `docker compose up -d --remove-orphans`",
    ),
    Consequence.START: Wording(symbol="+", done="started"),
    Consequence.RELOAD: Wording(symbol="@", done="reloading", meaning="without a restart, no request is lost"),
    Consequence.PULL_OR_BUILD: Wording(symbol="=", done="unchanged", meaning=_STAYS),
    Consequence.NONE: Wording(symbol="=", done="unchanged", meaning=_STAYS),
}
