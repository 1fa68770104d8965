"""What Compose's own keys hold: the types of services, networks and volumes as Docker Compose 2.26 accepts them.

The names and types are facts of the Compose Specification (compose-spec/compose-spec, ``schema/compose-spec.json``);
the forms of texts (durations, sizes, numbers) are those that ``docker compose config`` reads.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, defstruct

_NUMBER = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
_EXPONENT = "(?:[eE][+-]?[0-9]+)?"
_BOOLEANS = "true|yes|on|y|false|no|off|n"


class ComposeTable(Struct, forbid_unknown_fields=True, kw_only=True):
    """A mapping of Compose: a closed set of keys; those that begin with ``x-`` are nobody's."""


def _form(pattern: str, description: str) -> Any:
    return Annotated[str, Meta(pattern=rf"^(?:{pattern})$(?!\n)", description=description)]


def _table(title: str, /, *required: str, **keys: Any) -> Any:
    fields = [(key, kind) if key in required else (key, kind | UnsetType, UNSET) for key, kind in keys.items()]
    return defstruct(title, fields, bases=(ComposeTable,), kw_only=True, forbid_unknown_fields=True)


ListOf: Any = list  # by other names, since types are values here
MapOf: Any = dict
Boolean: Any = bool | _form(rf"(?i:{_BOOLEANS})", "A boolean: true or false.")
Whole: Any = int | _form("[+-]?[0-9]+", "A whole number.")
AnyWhole: Any = Whole | float
Decimal: Any = int | float | _form(rf"[+-]?{_NUMBER}{_EXPONENT}", "A number.")
SizeText: Any = _form(
    r"[0-9]+(?:\.[0-9]+)? ?[kKmMgGtTpP]?[iI]?[bB]?", 'Text: a number of bytes, with a unit: "512m", "16g".'
)
Size: Any = int | SizeText
AnySize: Any = Size | float
Duration: Any = _form(rf"[+-]?(?:0|(?:{_NUMBER}(?:ns|us|µs|μs|ms|s|m|h))+)", 'A duration: "30s", "1m30s".')
Texts: Any = ListOf[str]
TextOrTexts: Any = str | ListOf[str]
Command: Any = str | ListOf[str] | None
Scalar: Any = str | int | float | bool | None
Key: Any = Annotated[str, Meta(min_length=1, description="A name is not empty.")]
Named: Any = MapOf[Key, Scalar] | ListOf[str]
Hosts: Any = MapOf[Key, TextOrTexts] | ListOf[_form("[^:=]+[:=].+", "A name and an address: `db=10.0.0.7`.")]
Options: Any = MapOf[Key, str | int | float]

Ulimit = _table("Ulimit", "soft", "hard", soft=Whole, hard=Whole)
Ulimits: Any = MapOf[Key, Whole | Ulimit]
File = _table("File", "source", source=str, target=str, uid=str, gid=str, mode=Whole)
Files: Any = ListOf[str | File]

Build = _table(
    "Build",
    context=str,
    dockerfile=str,
    dockerfile_inline=str,
    entitlements=Texts,
    args=Named,
    ssh=Named,
    labels=Named,
    cache_from=Texts,
    cache_to=Texts,
    no_cache=Boolean,
    additional_contexts=Named,
    network=str,
    pull=Boolean,
    target=str,
    shm_size=Size,
    extra_hosts=Hosts,
    isolation=str,
    privileged=Boolean,
    secrets=Files,
    tags=Texts,
    ulimits=Ulimits,
    platforms=Texts,
)
Weight: Any = Annotated[int, Meta(ge=0, le=65535, description="A weight.")]
DeviceRate = _table("DeviceRate", path=str, rate=Size)
DeviceWeight = _table("DeviceWeight", path=str, weight=Weight)
BlockIo = _table(
    "BlockIo",
    device_read_bps=ListOf[DeviceRate],
    device_read_iops=ListOf[DeviceRate],
    device_write_bps=ListOf[DeviceRate],
    device_write_iops=ListOf[DeviceRate],
    weight=Weight,
    weight_device=ListOf[DeviceWeight],
)
CredentialSpec = _table("CredentialSpec", config=str, file=str, registry=str)
Dependency = _table(
    "Dependency",
    "condition",
    condition=Literal["service_started", "service_healthy", "service_completed_successfully"],
    restart=Boolean,
    required=bool,
)
Device = _table("Device", "source", "target", source=str, target=str, permissions=str)
EnvFile = _table("EnvFile", "path", path=str, format=Literal[""], required=Boolean)
Extends = _table("Extends", "service", service=str, file=str)
HealthCheck = _table(
    "HealthCheck",
    disable=Boolean,
    interval=Duration,
    retries=Annotated[int, Meta(ge=0, description="A whole number.")] | float | _form("[0-9]+", "A whole number."),
    test=TextOrTexts,
    timeout=Duration,
    start_period=Duration,
    start_interval=Duration,
)
Logging = _table("Logging", driver=str, options=MapOf[Key, str | int | float | None])
Attachment = _table(
    "Attachment",
    aliases=Texts,
    ipv4_address=str,
    ipv6_address=str,
    link_local_ips=Texts,
    mac_address=str,
    driver_opts=Options,
    priority=int | float,
    gw_priority=int | float,
)
Port = _table(
    "Port",
    "target",
    name=str,
    mode=str,
    host_ip=str,
    target=Annotated[int, Meta(ge=0, description="A port.")] | _form("[+]?[0-9]+", "A port."),
    published=str | int,
    protocol=str,
    app_protocol=str,
)
Bind = _table(
    "Bind",
    propagation=str,
    create_host_path=Boolean,
    recursive=Literal["enabled", "disabled", "writable", "readonly"],
    selinux=Literal["z", "Z"],
)
VolumeOptions = _table("VolumeOptions", nocopy=Boolean, subpath=str)
NotNegative: Any = Annotated[int, Meta(ge=0, description="It is not negative.")]
Tmpfs = _table("Tmpfs", size=NotNegative | SizeText, mode=NotNegative)
Mount = _table(
    "Mount",
    "type",
    "target",
    type=str,
    source=str,
    target=str,
    read_only=Boolean,
    consistency=str,
    bind=Bind,
    volume=VolumeOptions,
    tmpfs=Tmpfs,
)
Hook = _table("Hook", command=Command, user=str, privileged=Boolean, working_dir=str, environment=Named)
Watch = _table(
    "Watch",
    "path",
    "action",
    ignore=Texts,
    path=str,
    action=Literal["rebuild", "sync", "restart", "sync+restart", "sync+exec"],
    target=str,
    exec=Hook,
)
Develop = _table("Develop", watch=ListOf[Watch])
GpuCount: Any = int | _form("[+-]?[0-9]+|all", 'A number of devices, or "all".')
GpuRequest = _table(
    "GpuRequest",
    capabilities=Texts,
    count=GpuCount,
    device_ids=Texts,
    driver=str,
    options=Named,
)
Reserved = _table(
    "Reserved",
    "capabilities",
    capabilities=Texts,
    count=GpuCount,
    device_ids=Texts,
    driver=str,
    options=Named,
)
DiscreteResource = _table("DiscreteResource", kind=str, value=Whole)
GenericResource = _table("GenericResource", discrete_resource_spec=DiscreteResource)
Limits = _table("Limits", cpus=Decimal, memory=SizeText, pids=Whole)
Reservations = _table(
    "Reservations",
    cpus=Decimal,
    memory=SizeText,
    generic_resources=ListOf[GenericResource],
    devices=ListOf[Reserved],
)
Resources = _table("Resources", limits=Limits, reservations=Reservations)
Update = _table(
    "Update",
    parallelism=Whole,
    delay=Duration,
    failure_action=str,
    monitor=Duration,
    max_failure_ratio=Decimal,
    order=Literal["start-first", "stop-first"],
)
RestartPolicy = _table("RestartPolicy", condition=str, delay=Duration, max_attempts=Whole, window=Duration)
Preference = _table("Preference", spread=str)
Placement = _table("Placement", constraints=Texts, preferences=ListOf[Preference], max_replicas_per_node=Whole)
Deploy = _table(
    "Deploy",
    mode=str,
    endpoint_mode=str,
    replicas=Whole,
    labels=Named,
    rollback_config=Update,
    update_config=Update,
    resources=Resources,
    restart_policy=RestartPolicy,
    placement=Placement,
)

Service = _table(
    "Service",
    develop=Develop,
    deploy=Deploy,
    annotations=Named,
    attach=Boolean,
    build=str | Build,
    blkio_config=BlockIo,
    cap_add=Texts,
    cap_drop=Texts,
    cgroup=Literal["host", "private"],
    cgroup_parent=str,
    command=Command,
    configs=Files,
    container_name=str,
    cpu_count=Annotated[int, Meta(ge=0, description="A number of CPUs.")] | _form("[+]?[0-9]+", "A number of CPUs."),
    cpu_percent=Annotated[int, Meta(ge=0, le=100, description="A percentage.")]
    | _form(r"100|[0-9]{1,2}", "A percentage."),
    cpu_shares=AnyWhole,
    cpu_quota=AnyWhole,
    cpu_period=AnyWhole,
    cpu_rt_period=AnyWhole,
    cpu_rt_runtime=AnyWhole,
    cpus=Decimal,
    cpuset=str,
    credential_spec=CredentialSpec,
    depends_on=Texts | MapOf[_form("[a-zA-Z0-9._-]+", "The name of a service."), Dependency],
    device_cgroup_rules=Texts,
    devices=ListOf[str | Device],
    dns=TextOrTexts,
    dns_opt=Texts,
    dns_search=TextOrTexts,
    domainname=str,
    entrypoint=Command,
    env_file=str | ListOf[str | EnvFile],
    label_file=TextOrTexts,
    environment=MapOf[str, Scalar] | ListOf[str],  # whose names have rules of their own
    expose=ListOf[str | int],
    extends=str | Extends,
    external_links=Texts,
    extra_hosts=Hosts,
    gpus=Literal["all"] | ListOf[GpuRequest],
    group_add=ListOf[str | int],
    healthcheck=HealthCheck,
    hostname=str,
    image=str,
    init=Boolean,
    ipc=str,
    isolation=str,
    labels=Named,
    links=Texts,
    logging=Logging,
    mac_address=str,
    mem_limit=AnySize,
    mem_reservation=Size,
    mem_swappiness=Size,
    memswap_limit=AnySize,
    network_mode=str,
    networks=Texts | MapOf[_form("[a-zA-Z0-9._-]+", "The name of a network."), Attachment | None],
    oom_kill_disable=Boolean,
    oom_score_adj=Annotated[int, Meta(ge=-1000, le=1000, description="From -1000 to 1000.")]
    | _form("[+-]?(?:1000|[0-9]{1,3})", "From -1000 to 1000."),
    pid=str | None,
    pids_limit=AnyWhole,
    platform=str,
    ports=ListOf[Annotated[int, Meta(ge=1, le=65535, description="A port.")] | str | Port],
    post_start=ListOf[Hook],
    pre_stop=ListOf[Hook],
    privileged=Boolean,
    profiles=Texts,
    pull_policy=Literal["always", "never", "if_not_present", "build", "missing"],
    read_only=Boolean,
    restart=str,
    runtime=str,
    scale=Whole,
    security_opt=Texts,
    shm_size=AnySize,
    secrets=Files,
    sysctls=Named,
    stdin_open=Boolean,
    stop_grace_period=Duration,
    stop_signal=str,
    storage_opt=MapOf[Key, str | int | None],
    tmpfs=TextOrTexts,
    tty=Boolean,
    ulimits=Ulimits,
    user=str,
    uts=str,
    userns_mode=str,
    volumes=ListOf[str | Mount],
    volumes_from=Texts,
    working_dir=str,
)
NEWER: dict[str, frozenset[str]] = {
    "": frozenset({"models", "provider", "pull_refresh_after", "use_api_socket"}),
    "build": frozenset({"provenance", "sbom"}),
}
"""Keys that newer versions of Compose know: of a service itself, and of a table in it."""
External = _table("External", name=str)
AddressPool = _table("AddressPool", subnet=str, ip_range=str, gateway=str, aux_addresses=MapOf[Key, str])
Ipam = _table("Ipam", driver=str, config=ListOf[AddressPool], options=MapOf[Key, str])
Network = _table(
    "Network",
    name=str,
    driver=str,
    driver_opts=Options,
    ipam=Ipam,
    external=Boolean | External,
    internal=Boolean,
    enable_ipv4=Boolean,
    enable_ipv6=Boolean,
    attachable=Boolean,
    labels=Named,
)
_File: dict[str, Any] = {
    "name": str,
    "file": str,
    "environment": str,
    "external": Boolean | External,
    "labels": Named,
    "template_driver": str,
}
Secret = _table("Secret", **_File, driver=str, driver_opts=Options)
Config = _table("Config", **_File, content=str)
Volume = _table("Volume", name=str, driver=str, driver_opts=Options, external=Boolean | External, labels=Named)
