"""Which key of a compose service each field of a tier becomes: what documentation shows, and reading back uses."""

from collections.abc import Mapping

from anvil_gen.inventory.schema_own_keys import OWN_KEYS

COMPOSE_KEYS: Mapping[str, tuple[str, ...]] = {
    "service": ("services.NAME",),
    "container_name": ("container_name",),
    "image": ("image",),
    "build": ("build", "image"),
    "entrypoint": ("entrypoint",),
    "command": ("command",),
    "flags": ("command",),
    "extra_arguments": ("command",),
    "served_names": ("command",),
    "model": ("command", "volumes"),
    "draft_model": ("command", "volumes"),
    "mmproj": ("command", "volumes"),
    "lora": ("command", "volumes"),
    "environment": ("environment",),
    "env_file": ("env_file",),
    "pass_": ("environment",),
    "gpus": ("deploy.resources.reservations.devices", "environment"),
    "port": ("ports", "command"),
    "container_port": ("ports", "command"),
    "bind": ("ports",),
    "ports": ("ports",),
    "files": ("volumes", "labels"),
    "caches": ("volumes",),
    "mounts": ("volumes",),
    "networks": ("networks",),
    "healthcheck": ("healthcheck",),
    "start_period": ("healthcheck.start_period",),
    "restart": ("restart",),
    "init": ("init",),
    "stop_grace_period": ("stop_grace_period",),
    "shm_size": ("shm_size",),
    "ipc": ("ipc",),
    "logging": ("logging",),
    "log_max_size": ("logging.options.max-size",),
    "log_max_files": ("logging.options.max-file",),
    **{name: (name,) for name in OWN_KEYS},
}
"""Field of a tier -> what it becomes, by dots below the service; a field that is not here is the engine's, or below."""

ELSEWHERE: Mapping[str, str] = {
    "engine": "which data says how the other fields are written",
    "task": "the engine's own flags for it, and the router's paths",
    "gpu_memory": "the share of `gpu_memory_utilization`, by the GPU's memory",
    "flag_check": "whether its flags are held against the version of its image",
    "replicas": "further services of the same, `services.NAME-2` and on",
    "standby": "left out of `include` in `docker-compose.yml`",
    "override": "any key of the service, last",
}
"""Field of a tier that is no key of its own -> what it does."""

FROM_COMPOSE: Mapping[str, str] = {
    "services.NAME": "`tiers.NAME`, `service` where it differs",
    "image": "`image`, and by it `engine`",
    "build": "`build`, its context relative to the inventory's folder",
    "container_name": "`container_name`, `false` where there is none",
    "entrypoint": "`entrypoint`, where it is not the engine's",
    "command": "the engine's fields by its flags, below; all others in `flags`",
    "environment": "the engine's fields by its variables, below; all others in `environment`, bare names in `pass`",
    "env_file": "`env_file`, relative to the inventory's folder",
    "deploy.resources.reservations.devices": "`gpus`, and `[gpus]` by `device_ids`; `host.gpu_request` by `driver`",
    "runtime": '`gpus`, by `NVIDIA_VISIBLE_DEVICES`, with `host.gpu_request = "runtime"`',
    "ports": "`port`, `container_port`, `bind`; further ones in `ports`",
    "volumes": "`model`, `hfcache`, `files`, `caches`; all others in `mounts`, with `[volumes]`",
    "networks": "`networks`, with `[networks]`",
    "healthcheck": "`healthcheck`, `false` where there is none",
    "healthcheck.start_period": "`start_period`",
    "restart": "`restart`, `false` where there is none",
    "init": "`init`",
    "stop_grace_period": "`stop_grace_period`, `false` where there is none",
    "shm_size": "`shm_size`",
    "ipc": "`ipc`",
    "logging": "`logging`, `false` where there is none",
    "logging.options.max-size": "`log_max_size`",
    "logging.options.max-file": "`log_max_files`",
    **{name: f"`{name}`" for name in OWN_KEYS},
}
"""Key of a compose service -> the fields that say it; every other key goes into `override`."""
