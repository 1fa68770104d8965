"""The tables of the host itself: where things are on it, and its GPUs."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from msgspec import UNSET, Meta, UnsetType

from anvil_gen.inventory import fields as t
from anvil_gen.inventory import gpu_fields as g
from anvil_gen.inventory.schema_base import Table


class HostTable(Table, frozen=True, kw_only=True):
    """The host, and how its services are run."""

    name: t.HostName | UnsetType = UNSET
    project: t.ProjectName | UnsetType = UNSET
    address: (
        Annotated[
            str,
            t.text(
                "How other hosts reach this one: an IPv4 address or a name, for the routers whose `hosts` name it.",
                r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$(?!\n)",
                253,
                examples=["192.168.1.20"],
            ),
        ]
        | UnsetType
    ) = UNSET
    target: (
        Annotated[
            str,
            t.text(
                "What runs its services: a folder of `templates/targets/`. It is what `render` makes without "
                "`--target`, and what `up`, `down`, `status` and `logs` speak to.",
                t.SERVICE_PATTERN,
                t.NAME_LENGTH,
                examples=["quadlet"],
            ),
        ]
        | UnsetType
    ) = UNSET
    platform: t.Platform | UnsetType = UNSET
    architecture: t.Architecture | UnsetType = UNSET
    egress: t.Egress | UnsetType = UNSET
    gpu_request: g.GpuRequest | UnsetType = UNSET
    proxy: (
        Annotated[
            str,
            t.text(
                "Proxy by which containers reach the Hugging Face Hub; the project's services are asked without it.",
                r"^https?://[^\s@/?#]+/?$(?!\n)",
                examples=["http://proxy.example:3128"],
                variable=t.PASSED_ON,
            ),
        ]
        | UnsetType
    ) = UNSET
    ca_file: (
        Annotated[
            str,
            t.text(
                "Certificates that containers trust when they fetch, in one PEM file: those of public authorities and "
                "your own, as `/etc/ssl/certs/ca-certificates.crt` has them on Debian.",
                examples=["/etc/ssl/certs/ca-certificates.crt"],
                variable=t.NEEDS_DEFAULT,
            ),
        ]
        | UnsetType
    ) = UNSET
    selinux: (
        Annotated[
            bool,
            Meta(
                description="Whether Docker runs containers under SELinux (Fedora, RHEL): files of the tree are "
                "labelled for containers then, and containers with other files of the host run without labels.",
                examples=[True],
            ),
        ]
        | UnsetType
    ) = UNSET
    docker_context: (
        Annotated[
            str,
            t.text(
                "Docker context that the operating verbs use, instead of the current one.",
                r"^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$(?!\n)",
                examples=["box-over-ssh"],
            ),
        ]
        | UnsetType
    ) = UNSET
    output: (
        Annotated[str, t.text("Folder of the rendered tree, relative to this file's folder.", examples=["../deploy/x"])]
        | UnsetType
    ) = UNSET
    project_directory: (
        Annotated[
            str,
            t.text(
                "Folder, relative to this file's, from which Compose takes the paths that are values of variables of "
                "tiers and services. Without it, such a path is relative to `tiers/` or `services/` in the tree.",
                r"^[^~\\\x00\r\n][^\\\x00\r\n]*$(?!\n)",
                examples=[".."],
            ),
        ]
        | UnsetType
    ) = UNSET


class PathsTable(Table, frozen=True, kw_only=True):
    """Where things are on the host."""

    models: t.ModelsFolder | UnsetType = UNSET


class HfCacheTable(Table, frozen=True, kw_only=True):
    """The Hugging Face cache that all engines share. It is external unless `[volumes]` says otherwise."""

    volume: t.VolumeName | UnsetType = UNSET
    path: (
        Annotated[
            str,
            t.text("Folder of the host, instead of a volume.", examples=["/srv/huggingface"], variable=t.NEEDS_DEFAULT),
        ]
        | UnsetType
    ) = UNSET
    token_env: (
        Annotated[
            str,
            t.text(
                "Variable with the token for gated models: passed on by name to what loads from the Hugging Face Hub.",
                t.VARIABLE_PATTERN,
                examples=["HF_TOKEN"],
            ),
        ]
        | UnsetType
    ) = UNSET


class GpuTable(Table, frozen=True, kw_only=True):
    """One GPU: its `uuid`, or its `index`."""

    CALLED_ELSEWHERE: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("memory", "memory_total", "memory_gib", "memory_gb", "memory_mb"), "memory_mib"),
        **dict.fromkeys(("vram", "vram_gib", "vram_gb", "vram_mib", "vram_mb"), "memory_mib"),
        **dict.fromkeys(("compute_cap", "cuda_capability", "sm"), "compute_capability"),
        **dict.fromkeys(("id", "device", "device_id", "number"), "index"),
    }
    """What people and `nvidia-smi` call a key, and what it is called here."""

    uuid: t.Uuid | UnsetType = UNSET
    index: g.GpuIndex | UnsetType = UNSET
    vendor: Annotated[str, t.text("A folder of `templates/gpus/`.", t.SERVICE_PATTERN, t.NAME_LENGTH)] | UnsetType = (
        UNSET
    )
    memory_mib: t.GpuMemory | UnsetType = UNSET
    reserve_mib: (
        Annotated[
            int,
            Meta(
                description="Memory that is kept free of tiers: a desktop, a driver.",
                ge=0,
                examples=[1024],
                extra_json_schema={"x-unit": "MiB"},
            ),
        ]
        | UnsetType
    ) = UNSET
    compute_capability: t.ComputeCapability | UnsetType = UNSET
