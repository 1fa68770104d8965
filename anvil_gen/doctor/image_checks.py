"""Whether images are there, and what keeps them from coming."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

from anvil_gen.diagnostics import display_path, printable
from anvil_gen.doctor.check import Check, by_command, wrong
from anvil_gen.doctor.subject import Subject
from anvil_gen.doctor.wants import Wanted
from anvil_gen.machine.containers import images_of

_SECONDS = 20.0
"""How long a registry may take to say whether it has an image."""


def check_images(subject: Subject) -> Iterator[Check]:
    """Look for each image, once; `up` gets those that are missing, so that they are only told."""
    if not subject.engine.answers:
        return
    there = images_of(subject.docker, [wanted.image for wanted in subject.stored])
    for wanted in {wanted.image: wanted for wanted in reversed(subject.stored)}.values():
        what = f"image of {wanted.name}"
        if wanted.image in there:
            yield Check(what=what, found=f"{wanted.image}{_size(there[wanted.image])}")
        else:
            yield _to_come(subject, wanted, what)


def _size(image: Any) -> str:
    size = image.get("Size") or 0
    return f", {size / (1 << 30):.1f} GiB" if size else ""


def _to_come(subject: Subject, wanted: Wanted, what: str) -> Check:
    if wanted.built:
        detail, remedy = f"{wanted.image} is not built yet", by_command("`up` builds it; now", _build(subject, wanted))
    else:
        detail = f"{wanted.image} is not on this machine yet"
        remedy = by_command("`up` pulls it; now", subject.docker.typed("pull", wanted.image))
    return wrong(what, "image is not there yet", detail, remedy, severity="warning")


def _build(subject: Subject, wanted: Wanted) -> str:
    folder = shlex.quote(display_path(subject.deployment.project.folder))
    return f"cd {folder} && {subject.docker.typed('compose', 'build', wanted.service)}"


def unobtainable(subject: Subject) -> Iterator[Check]:
    """Yield the images that are missing after an attempt to bring services up, and what their registry says."""
    there = images_of(subject.docker, [wanted.image for wanted in subject.wants])
    missing = {wanted.image: wanted for wanted in reversed(subject.wants) if wanted.image not in there}
    pulled = [image for image, wanted in missing.items() if not wanted.built]
    asked = {image: subject.docker.popen("manifest", "inspect", image) for image in pulled}
    for image, wanted in missing.items():
        if wanted.built:
            what, at = f"image of {wanted.name}", subject.place(*wanted.table, "image")
            remedy = by_command("build it by itself, and see why", _build(subject, wanted))
            yield wrong(what, "image was not built", f"{image} is not on this machine", remedy, at=at)
            continue
        yield _not_pulled(subject, wanted, *_said(asked[image]))


def _not_pulled(subject: Subject, wanted: Wanted, registry_has_it: bool, said: str) -> Check:
    what, at = f"image of {wanted.name}", subject.place(*wanted.table, "image")
    pull = subject.docker.typed("pull", wanted.image)
    if registry_has_it:  # something else kept it from being pulled
        detail = f"{wanted.image} is not on this machine yet; its registry has it"
        remedy = by_command("pull it by itself", pull)
        return wrong(what, "image cannot be had", detail, remedy, at=at, severity="warning")
    detail = f"{wanted.image} is not on this machine, and cannot be had: {said}"
    return wrong(what, "image cannot be had", detail, by_command("write another image or tag; or see why", pull), at=at)


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
