"""``anvil-gen experiment up``: put a model into the slot."""

from __future__ import annotations

from pathlib import Path

import click

from anvil_gen.cli import options
from anvil_gen.cli.views.diagnostics import show_diagnostics
from anvil_gen.cli.views.experiment import held_gpu, show_started
from anvil_gen.diagnostics import Diagnostic, ExitCode
from anvil_gen.operate.experiment.slot import SERVICE, Request, Slot, open_slot, require_current, trial_of
from anvil_gen.operate.experiment.trial import start, use_of_gpu
from anvil_gen.operate.gpu_usage import taken


class _Command(click.Command):
    """A command that says where the engine's flags belong."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            where = "Flags of the engine follow --, as in: anvil-gen experiment up HOST MODEL -- --flag"
            raise click.UsageError(f"{error.format_message()}\n{where}", ctx) from None


@click.command("up", cls=_Command)
@options.host
@click.argument("model")
@click.argument("flags", nargs=-1, metavar="[-- FLAG...]")
@click.option("--gpu", metavar="NAME", help="A card of the inventory, instead of the slot's own.")
@click.option(
    "--port", metavar="NUMBER", type=click.IntRange(1, 65535), help="The port, in the container and on the host alike."
)
@click.option("--served-name", metavar="NAME", help="The model name that it answers to.")
@options.as_json
def command(
    *,
    host: str,
    model: str,
    flags: tuple[str, ...],
    gpu: str | None,
    port: int | None,
    served_name: str | None,
    as_json: bool,
) -> ExitCode:
    """Put a model of the hub into a host's experiment slot.

    Runs `docker compose -f docker-compose.experiment.yml up -d` with MODEL, SERVED_NAME, PORT, GPU_UUID and
    EXTRA_ARGS set. What stands behind -- goes to the engine, each argument as it is given here. Tiers are left alone:
    those that hold the card are named, with the command that frees it.

    \b
    Examples:
      anvil-gen experiment up fakoli-dark openai/gpt-oss-20b
      anvil-gen experiment up fakoli-dark org/name --gpu pro6000 --served-name coder -- --max-model-len 8192
    """
    slot = open_slot(host, Path.cwd())
    warning = require_current(slot)
    trial = trial_of(slot, Request(model=model, gpu=gpu, port=port, served_name=served_name, flags=flags))
    use = use_of_gpu(slot, trial)
    takes = taken(slot.experiment.share, trial.gpu) if trial.gpu is not None else None
    said = [diagnostic for diagnostic in (warning, held_gpu(slot.host, use, takes)) if diagnostic is not None]
    show_diagnostics(said, as_json=as_json)
    started = start(slot, trial)
    diagnostics = _causes(slot) if started.code != 0 else []
    show_started(started, use, [*said, *diagnostics], as_json=as_json)
    if not as_json:
        show_diagnostics(diagnostics, as_json=False)
    return ExitCode.OK if started.code == 0 else ExitCode.ERROR


def _causes(slot: Slot) -> list[Diagnostic]:
    """Return what of the slot's wants is not there: its volumes, folders and image."""
    from anvil_gen.operate.doctor.context import DoctorContext  # noqa: PLC0415
    from anvil_gen.operate.doctor.diagnose import causes  # noqa: PLC0415  only a failure needs it

    deployment = slot.deployment
    return causes(DoctorContext(deployment, deployment.stack.modes[0], [SERVICE], with_slot=True))
