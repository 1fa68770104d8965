"""How far the downloads of engines that start are: by the growth of their cache, against the size that a lock knows."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import UNSET, Struct
from msgspec.structs import replace

from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.fit.facts_source import locked_facts
from anvil_gen.inventory.lock_file import model_key
from anvil_gen.inventory.schema_model import ModelTable
from anvil_gen.machine.hub_cache import hub_cache_of, repo_blobs
from anvil_gen.operate.readiness import Phase, Progress, duration
from anvil_gen.resolve.host import Host
from anvil_gen.resolve.model import Tier

_GIB, _MIB = 1 << 30, 1 << 20


class Cached(Struct, frozen=True, kw_only=True):
    """The contents of a repository in a cache; ``size`` is what its weights take, None where that is not known."""

    blobs: Path
    size: int | None


class Downloads:
    """What services that wait have downloaded so far."""

    def __init__(self, cached: Mapping[str, Cached], clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with what is there: by service."""
        self._cached, self._clock = cached, clock
        self._first = {service: (clock(), _bytes(one.blobs)) for service, one in cached.items()}

    def describe(self, services: Iterable[Progress]) -> tuple[Progress, ...]:
        """Return the progress of services, those that download with how far they are."""
        return tuple(self._described(one) for one in services)

    def _described(self, one: Progress) -> Progress:
        cached = self._cached.get(one.service)
        if cached is None or one.phase is not Phase.WAITING:
            return one
        text = self._text(one.service, cached)
        return replace(one, message=f"{one.message}, {text}") if text else one

    def _text(self, service: str, cached: Cached) -> str:
        """Return how far a download is; empty where nothing has come, or all is there."""
        began, before = self._first[service]
        now = _bytes(cached.blobs)
        if now <= before or (cached.size is not None and now >= cached.size):
            return ""
        rate = (now - before) / max(self._clock() - began, 1e-3)
        speed = f"{rate / _MIB:.1f} MiB/s"
        if cached.size is None:
            return f"{now / _GIB:.1f} GiB downloaded, {speed}"
        left = duration((cached.size - now) / rate)
        return f"{100 * now // cached.size}% of {cached.size / _GIB:.1f} GiB downloaded, {speed}, {left} left"


def downloads_of(host: Host, tiers: Iterable[Tier]) -> Downloads:
    """Return what to look at of some tiers: those whose model is in a shared cache that can be read from here."""
    found: dict[str, Cached] = {}
    known = locked_facts(host.path)
    for tier in tiers:
        engine, model = host.catalog.engine(tier.engine), tier.options.model
        if engine is None or not engine.hub_folder or not isinstance(model, ModelTable) or model.repo is UNSET:
            continue
        match = re.fullmatch(engine.hub_repo, str(model.repo))
        if match is None:
            continue
        facts = known.get(model_key(match["repo"], None if model.revision is UNSET else str(model.revision)))
        with suppress(DiagnosticError):  # a volume that only its owner may read
            blobs = repo_blobs(hub_cache_of(host, engine, tier, access=os.R_OK), match["repo"])
            size = facts.bytes.total if facts is not None and facts.bytes.total else None
            found[tier.service.name] = Cached(blobs=blobs, size=size)
    return Downloads(found)


def _bytes(folder: Path) -> int:
    """Return what the files of a folder take on disk: a file that is written from several places at once has holes."""
    total = 0
    with suppress(OSError):
        for entry in os.scandir(folder):
            with suppress(OSError):
                total += min(entry.stat().st_size, entry.stat().st_blocks * 512)
    return total
