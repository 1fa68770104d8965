"""Checks of the groups that a host has a part in: whether all ranks have one image, and are told the same."""

from __future__ import annotations

from collections.abc import Iterator

from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.inventory.fleet import fleet_root
from anvil_gen.machine.containers import ContainerQuery
from anvil_gen.operate.doctor.check import Check, failed, with_commands
from anvil_gen.operate.doctor.context import DoctorContext
from anvil_gen.operate.group import OperatedRank, overrides_of, ranks_of_group
from anvil_gen.operate.group_images import RankImage, differences, image_of_rank, pull_command
from anvil_gen.operate.group_overrides import override_differences, remedy_of_override


def check_rank_images(context: DoctorContext) -> Iterator[Check]:
    """Compare the image of each rank of the host with those of the others, over their hosts' Docker contexts."""
    for group, ranks in _groups(context) if context.docker_info.is_available else ():
        images = [_image(context, rank) for rank in ranks]
        found = list(differences(images))
        for difference in found:
            remedy = with_commands("give all of them one, or pin it", pull_command(group), "anvil-gen pin --all")
            yield failed(f"images of {group}", "hosts-of-a-group-differ", difference, remedy)
        if not found and all(one.digests for one in images):
            yield Check(what=f"images of {group}", found=f"{images[0].name}, the same on {len(images)} hosts")


def check_rank_overrides(context: DoctorContext) -> Iterator[Check]:
    """Compare what the override files next to the rendered ones make of each rank of the host's groups."""
    for group, ranks in _groups(context):
        try:
            overrides = overrides_of(ranks)
        except DiagnosticError:  # reported where the files of that host are checked
            continue
        for difference in override_differences(overrides):
            yield failed(f"ranks of {group}", "hosts-of-a-group-differ", difference, remedy_of_override(group))


def _groups(context: DoctorContext) -> Iterator[tuple[str, list[OperatedRank]]]:
    tiers = [required.tier for required in context.requirements if required.tier is not None]
    for group in dict.fromkeys(tier.rank.group for tier in tiers if tier.rank is not None):
        yield group, ranks_of_group(group, fleet_root(context.deployment.host.path))


def _image(context: DoctorContext, rank: OperatedRank) -> RankImage:
    """Return the image that a rank runs, or would start from; of a host that does not answer, nothing is known."""
    is_own = rank.host == context.deployment.host.path.stem
    project = (context.deployment if is_own else rank.deployment).project
    try:
        containers = ContainerQuery(project.docker, project.name).containers()
    except DiagnosticError:
        return RankImage(host=rank.host, name=rank.image, digests=())
    running = next((one for one in containers if one.service == rank.service.name and one.running), None)
    return image_of_rank(rank.host, project.docker, rank.image, running)
