"""Whether images are there, and what keeps them from coming."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

from anvil_gen.diagnostics import display_path, printable
from anvil_gen.machine.containers import images_of
from anvil_gen.operate.doctor.check import Check, failed, with_commands
from anvil_gen.operate.doctor.context import DoctorContext
from anvil_gen.operate.doctor.requirements import Requirements

_SECONDS = 20.0
"""How long a registry may take to say whether it has an image."""


def check_images(context: DoctorContext) -> Iterator[Check]:
    """Look for each image, once; `up` gets those that are missing, so that they are only told."""
    if not context.docker_info.answers:
        return
    there = images_of(context.docker, [required.image for required in context.storage_requirements])
    for required in {required.image: required for required in reversed(context.storage_requirements)}.values():
        what = f"image of {required.name}"
        if required.image in there:
            yield Check(what=what, found=f"{required.image}{_size(there[required.image])}")
        else:
            yield _to_come(context, required, what)


def _size(image: Any) -> str:
    size = image.get("Size") or 0
    return f", {size / (1 << 30):.1f} GiB" if size else ""


def _to_come(context: DoctorContext, required: Requirements, what: str) -> Check:
    if required.built:
        detail, remedy = (
            f"{required.image} is not built yet",
            with_commands("`up` builds it; now", _build(context, required)),
        )
    else:
        detail = f"{required.image} is not on this machine yet"
        remedy = with_commands("`up` pulls it; now", context.docker.typed("pull", required.image))
    return failed(what, "image is not there yet", detail, remedy, severity="warning")


def _build(context: DoctorContext, required: Requirements) -> str:
    folder = shlex.quote(display_path(context.deployment.project.folder))
    return f"cd {folder} && {context.docker.typed('compose', 'build', required.service)}"


def unobtainable(context: DoctorContext) -> Iterator[Check]:
    """Yield the images that are missing after an attempt to bring services up, and what their registry says."""
    there = images_of(context.docker, [required.image for required in context.requirements])
    missing = {required.image: required for required in reversed(context.requirements) if required.image not in there}
    pulled = [image for image, required in missing.items() if not required.built]
    asked = {image: context.docker.popen("manifest", "inspect", image) for image in pulled}
    for image, required in missing.items():
        if required.built:
            what, at = f"image of {required.name}", context.place(*required.table, "image")
            remedy = with_commands("build it by itself, and see why", _build(context, required))
            yield failed(what, "image was not built", f"{image} is not on this machine", remedy, at=at)
            continue
        yield _not_pulled(context, required, *_said(asked[image]))


def _not_pulled(context: DoctorContext, required: Requirements, registry_has_it: bool, said: str) -> Check:
    what, at = f"image of {required.name}", context.place(*required.table, "image")
    pull = context.docker.typed("pull", required.image)
    if registry_has_it:  # something else kept it from being pulled
        detail = f"{required.image} is not on this machine yet; its registry has it"
        remedy = with_commands("pull it by itself", pull)
        return failed(what, "image cannot be had", detail, remedy, at=at, severity="warning")
    detail = f"{required.image} is not on this machine, and cannot be had: {said}"
    return failed(
        what, "image cannot be had", detail, with_commands("write another image or tag; or see why", pull), at=at
    )


def _said(asked: subprocess.Popen[str]) -> tuple[bool, str]:
    """Return whether a registry has an image, and what was said of it."""
    try:
        _, stderr = asked.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        asked.kill()
        asked.communicate()
        return False, f"its registry did not answer within {_SECONDS:.0f} seconds"
    lines = stderr.strip().splitlines()
    return asked.returncode == 0, printable(lines[-1]) if lines else "it said nothing"
