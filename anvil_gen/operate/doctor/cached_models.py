"""Checks that what sealed tiers load of the Hugging Face Hub is in their cache: they cannot download it."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import UNSET

from anvil_gen.catalog.engine import Engine
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.fit.hub_files import read_files
from anvil_gen.inventory.schema_model import ModelTable
from anvil_gen.machine.hub_cache import hub_cache_of, repo_folder
from anvil_gen.operate.doctor.check import Check, failed, with_commands
from anvil_gen.operate.doctor.context import DoctorContext
from anvil_gen.patterns import lazy_pattern
from anvil_gen.resolve.model import Tier

_DEFAULT_BRANCH = "main"
_COMMIT = lazy_pattern("[0-9a-f]{40}")


def check_cached_models(context: DoctorContext) -> Iterator[Check]:
    """Check each sealed tier's repository; a cache that cannot be read from here says nothing."""
    host = context.deployment.host
    if host.options.get("egress") != "deny" or not context.docker_info.local:
        return
    for tier in (required.tier for required in context.requirements):
        engine = context.catalog.engine(tier.engine) if tier is not None else None
        if tier is not None and engine is not None and engine.hub_folder:
            yield from _check(context, tier, engine)


def _check(context: DoctorContext, tier: Tier, engine: Engine) -> Iterator[Check]:
    model = tier.options.model
    if not isinstance(model, ModelTable) or model.repo is UNSET:
        return
    named = re.fullmatch(engine.hub_repo, str(model.repo))
    if named is None:
        return
    host, what, repo = context.deployment.host, f"model of {tier.name}", named["repo"]
    try:
        cache = hub_cache_of(host, engine, tier, access=os.R_OK | os.X_OK)
    except DiagnosticError:  # a volume that only its owner may read
        yield Check(what=what, found=f"{repo}: its cache cannot be read by this user")
        return
    revision = host.lock.commit(repo, None if model.revision is UNSET else str(model.revision))
    files = _snapshot(repo_folder(cache, repo), revision or _DEFAULT_BRANCH)
    read = read_files(engine, list(files), str(model.repo).partition(":")[2], tier.options.flags)
    missing = [name for name in read if not files[name].exists()]
    if read and not missing:
        yield Check(what=what, found=f"{repo} is in the cache")
        return
    at = f"{repo} at {revision}" if revision else repo
    detail = f"{missing[0]} of {at}" if missing else at
    detail += f' is not in {cache}, and with egress = "deny" the tier cannot download it'
    command = f"anvil-gen fetch {shlex.quote(context.deployment.stack.host)} {shlex.quote(tier.name)}"
    remedy = with_commands("put it there", command)
    yield failed(what, "model-is-not-in-the-cache", detail, remedy, at=context.place(*tier.table, "model"))


def _snapshot(folder: Path, revision: str) -> Mapping[str, Path]:
    """Return the files of a revision, by their names; a link whose content has not come leads to nothing."""
    commit = revision
    if not _COMMIT.fullmatch(revision):
        try:
            commit = (folder / "refs" / revision).read_text("utf-8").strip()
        except OSError:
            return {}
    snapshot = folder / "snapshots" / commit
    return {
        path.relative_to(snapshot).as_posix(): path
        for path in snapshot.glob("**/*")
        if path.is_symlink() or path.is_file()
    }
