"""The images of a group's ranks: of two that differ, neither may understand the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from anvil_gen.diagnostics import Diagnostic
from anvil_gen.machine.containers import Container, image_digests, images_of
from anvil_gen.machine.docker import Docker
from anvil_gen.operate.drift import Drift

_PINNED = "or pin it, so that no tag can move:\n\n    anvil-gen pin --all"


class RankImage(Struct, frozen=True, kw_only=True):
    """The image of one rank: by what it is known, its id first; by nothing, where the host does not have it."""

    host: str
    name: str
    digests: tuple[str, ...]


def image_of_rank(host: str, docker: Docker, name: str, running: Container | None = None) -> RankImage:
    """Return the image that a rank runs; of one that does not, what the image's name means on its host now.

    Raises:
        DiagnosticError: Docker is not installed.
    """
    asked = name if running is None else running.image_id
    found = images_of(docker, [asked]).get(asked)
    return RankImage(host=host, name=name, digests=image_digests(found) if found else ())


def differences(images: Sequence[RankImage]) -> Iterator[str]:
    """Yield how images of ranks differ from that of the first rank which has any.

    An id depends on how a host's Docker keeps images, and one image has several digests: one in common is enough.
    """
    known = [one for one in images if one.digests]
    for one in known[1:]:
        if not set(one.digests) & set(known[0].digests):
            yield f"{one.name} is {_short(known[0])} on {known[0].host}, and {_short(one)} on {one.host}"


def _short(image: RankImage) -> str:
    return image.digests[0].removeprefix("sha256:")[:12]


def image_drifts(group: str, images: Sequence[RankImage]) -> Iterator[Drift]:
    """Yield the drift of a group whose ranks run different images."""
    for difference in differences(images):
        yield Drift(kind="image", detail=f"ranks run different images: {difference}", remedy=pull_command(group))


def pull_command(group: str) -> str:
    """Return the command that gives all ranks of a group the same image."""
    return f"anvil-gen up {group} --pull"


def image_errors(group: str, images: Sequence[RankImage]) -> list[Diagnostic]:
    """Return why ranks would start from different images: hosts have them already, or one is still to pull its own."""
    found = list(differences(images))
    lacking = [one for one in images if not one.digests and "@" not in one.name]
    if len(lacking) < len(images):
        found += [f"{one.host} does not have {one.name} yet, and would pull what the tag means now" for one in lacking]
    remedy = f"pull it on all hosts:\n\n    {pull_command(group)}\n\n{_PINNED}"
    return [Diagnostic(code="hosts-of-a-group-differ", detail=detail, remedy=remedy) for detail in found]
