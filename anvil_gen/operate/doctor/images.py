"""Checks that images are on the host, or why they cannot be pulled."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from typing import Any

from anvil_gen.diagnostics import display_path, printable
from anvil_gen.machine.containers import images_of
from anvil_gen.operate.doctor.check import Check, failed, with_commands
from anvil_gen.operate.doctor.context import DoctorContext
from anvil_gen.operate.doctor.requirements import Requirements
from anvil_gen.patterns import lazy_pattern

_SECONDS = 20.0
"""How long a registry may take to report whether it has an image."""
_SECONDS_BEFORE = 5.0
"""Likewise before anything is started, when an image that is not known to be missing is left to Docker."""
_DENIAL = lazy_pattern(
    r"manifest unknown|no such manifest|name unknown|repository .*not found|denied|unauthorized", re.I
)


def check_images(context: DoctorContext) -> Iterator[Check]:
    """Look for each image once; missing ones are only warnings, since `up` pulls them."""
    if not context.docker_info.is_available:
        return
    existing = images_of(context.docker, [required.image for required in context.storage_requirements])
    for required in {one.image: one for one in reversed(context.storage_requirements) if one.image}.values():
        what = f"image of {required.name}"
        if required.image in existing:
            yield Check(what=what, found=f"{required.image}{_size(existing[required.image])}")
        else:
            yield _not_yet_available(context, required, what)


def _size(image: Any) -> str:
    size = image.get("Size") or 0
    return f", {size / (1 << 30):.1f} GiB" if size else ""


def _not_yet_available(context: DoctorContext, required: Requirements, what: str) -> Check:
    if required.built:
        detail, remedy = (
            f"{required.image} is not built yet",
            with_commands("`up` builds it; to build it now", _build(context, required)),
        )
    else:
        detail = f"{required.image} is not on this host yet"
        remedy = with_commands("`up` pulls it; to pull it now", context.docker.shell_command("pull", required.image))
    return failed(what, "image-is-not-available-yet", detail, remedy, severity="warning")


def _build(context: DoctorContext, required: Requirements) -> str:
    folder = shlex.quote(display_path(context.deployment.project.folder))
    return f"cd {folder} && {context.docker.shell_command('compose', 'build', required.service)}"


def unobtainable(context: DoctorContext) -> Iterator[Check]:
    """Yield the images that are missing after an attempt to start services, and what their registry reports."""
    for required, query in _missing(context):
        if query is None:
            what, at = f"image of {required.name}", context.place(*required.table, "image")
            remedy = with_commands("build it alone, to see why", _build(context, required))
            yield failed(what, "image-was-not-built", f"{required.image} is not on this host", remedy, at=at)
        else:
            yield _not_pulled(context, required, *_registry_answer(query, _SECONDS))


def nowhere(context: DoctorContext) -> Iterator[Check]:
    """Yield the images that are neither here nor in their registry, by what it says within some seconds."""
    began = time.monotonic()
    for required, query in _missing(context):
        if query is not None:
            left = max(0.0, began + _SECONDS_BEFORE - time.monotonic())
            registry_has_it, answer = _registry_answer(query, left)
            if not registry_has_it and _DENIAL.search(answer):
                yield _not_pulled(context, required, registry_has_it, answer)


def _missing(context: DoctorContext) -> list[tuple[Requirements, subprocess.Popen[str] | None]]:
    """Return who needs an image that is not here, and the query to its registry; None where it is built."""
    existing = images_of(context.docker, [required.image for required in context.requirements])
    missing = {
        # Without a name, a variable is not set, which is reported by itself.
        one.image: one
        for one in reversed(context.requirements)
        if one.image and one.image not in existing
    }
    return [
        (required, None if required.built else context.docker.popen("manifest", "inspect", image))
        for image, required in missing.items()
    ]


def _not_pulled(context: DoctorContext, required: Requirements, registry_has_it: bool, answer: str) -> Check:
    what, at = f"image of {required.name}", context.place(*required.table, "image")
    pull = context.docker.shell_command("pull", required.image)
    if registry_has_it:  # something else prevented the pull
        detail = f"{required.image} is not on this host yet; its registry has it"
        remedy = with_commands("pull it alone", pull)
        return failed(what, "image-cannot-be-pulled", detail, remedy, at=at, severity="warning")
    detail = f"{required.image} is not on this host and cannot be pulled: {answer}"
    return failed(
        what, "image-cannot-be-pulled", detail, with_commands("choose another image or tag, or see why", pull), at=at
    )


def _registry_answer(query: subprocess.Popen[str], seconds: float) -> tuple[bool, str]:
    """Return whether a registry has an image, and its answer."""
    try:
        _, stderr = query.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        query.kill()
        query.communicate()
        return False, f"its registry did not answer within {seconds:.0f} seconds"
    lines = stderr.strip().splitlines()
    return query.returncode == 0, printable(lines[-1]) if lines else "no error message"
