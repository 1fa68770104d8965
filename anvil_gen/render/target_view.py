"""From the deploy tree of a host to what the templates of a target are given."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import UNSET, Struct
from msgspec.structs import replace

from anvil_gen.catalog.image_kind import RunAs, kind_of
from anvil_gen.catalog.release import plain_image
from anvil_gen.digests import digest
from anvil_gen.inventory.left_out import names
from anvil_gen.render.target_model import ConfigFile, GpuClaim, ModeView, Store, TargetView, Workload
from anvil_gen.render.workloads import Container, Given, MountedPlace, container, literal, with_pod_variables
from anvil_gen.resolve.compose_keys import by_name, long_mount
from anvil_gen.resolve.gpu_model import Gpu
from anvil_gen.resolve.host import Host
from anvil_gen.resolve.model import FILE_LABEL, Mode, Stack, Tier
from anvil_gen.resolve.target import TargetErrors, TargetRequest
from anvil_gen.values import KeyPath

_ROUTER_FOLDER = "router/"
_PAIR = 2
"""Hosts of a group in which each pod has a template of its own."""


class HostTree(Struct, frozen=True, kw_only=True):
    """A host with its rendered and parsed deploy tree, and what its inventory tells the target."""

    host: Host
    request: TargetRequest
    stack: Stack
    files: Mapping[str, str]
    data: Mapping[str, Any]


class ViewBuilder:
    """Reads the compose files of one host for one target; what that cannot say goes to the host's collector."""

    def __init__(self, tree: HostTree, *, suffix: str = "") -> None:
        """Take a host's tree; ``suffix`` ends what is named among what is another host's."""
        self._host = tree.host
        self._request = tree.request
        self._stack = tree.stack
        self._files = tree.files
        self._data = tree.data
        self._errors = TargetErrors(tree.host.collector, tree.request)
        self._suffix = suffix
        self._stores: dict[str, Store] = {}
        self._each: dict[str, Store] = {}  # of which every pod has one of its own

    def view(self) -> TargetView:
        """Return what the target's templates are given."""
        stack = self._stack
        # Of a group, the files of its first host say all where a target has words for it.
        tiers = tuple(self.tier(tier) for tier in stack.tiers if tier.answers or self._request.data.group is None)
        found = {mode.name: self._router(mode) for mode in stack.modes}
        routers = {name: router for name, router in found.items() if router is not None}
        claims = {claim.name: claim for tier in tiers for claim in tier.claims if claim.shared}
        default = routers.get(stack.modes[0].name)
        modes = tuple(
            ModeView(
                name=mode.name,
                tiers=tuple(tier.service.name for tier in mode.tiers),
                files=own.files if (own := routers.get(mode.name)) is not None else (),
                digest=own.digest if own is not None else "",
            )
            for mode in stack.modes
        )
        together = {one.containers[0].unit: one for one in routers.values()} if self._request.data.prefixed else {}
        return TargetView(
            project=stack.project,
            options=self._request.options,
            shares_base=self._request.shares_base,
            tiers=tuple(_with_conflicts(tier, tiers) for tier in tiers),
            router=default,
            routers=tuple(_with_conflicts(one, together.values()) for one in together.values())
            or ((default,) if default is not None else ()),
            stores=self.stores,
            claims=tuple(claims.values()),
            modes=modes,
        )

    @property
    def stores(self) -> tuple[Store, ...]:
        """Where mounts of what it has read are from."""
        return tuple(self._stores.values())

    def tier(self, tier: Tier) -> Workload:
        """Return the workload of a tier."""
        path, name = f"tiers/{tier.name}.yml", f"{tier.service.name}{self._suffix}"
        words = self._request.data.group
        service = with_pod_variables(
            self._data[path]["services"][tier.service.name], words.names if tier.rank and words else ()
        )
        several = tier.rank is not None and words is not None and len(tier.rank.hosts) > _PAIR
        mounts, files = self._mounts(path, tier.service.name, tier.table, store=name, each=several)
        self._check_keys(service, tier.table)
        given = Given(
            mounts=mounts,
            image=self._image(service),
            unit=f"{self._prefix}{name}",
            tier=tier,
            run_as=self._run_as(tier),
            devices=self._devices(tier),
            resource=self._resource(tier),
            has_own_check=self._has_own_check(tier),
        )
        one = container(name, service, given)
        claims = tuple(self._claims(tier)) if self._request.claims_gpus else ()
        declared = self._data[path].get("volumes", {})
        modes = tuple(mode.name for mode in self._stack.modes if tier.name in [one.name for one in mode.tiers])
        return self._workload(tier, (one,), files, service, declared=declared, claims=claims, modes=modes)

    def _router(self, mode: Mode) -> Workload | None:
        """Return the router of a mode, with what reloads it."""
        if mode.router is None:
            return None
        name, found, files = mode.router.service, [], dict[str, ConfigFile]()
        services = self._data[mode.router_file]["services"]
        for one, service in services.items():
            mounts, own = self._mounts(mode.router_file, one, ("router",), mode.name, store=name)
            files |= {file.key: file for file in own}
            self._check_keys(service, ("router",))
            image = self._request.options["router_image"] or self._image(service)
            unit = f"{self._prefix}{one}{self._suffix_of(mode)}"
            found.append(container(one, service, Given(mounts=mounts, image=image, unit=unit)))
        declared = self._data[mode.router_file].get("volumes", {})
        modes = tuple(one.name for one in self._host.stack.modes if one.router_file == mode.router_file)
        return self._workload(None, tuple(found), tuple(files.values()), services[name], declared=declared, modes=modes)

    def _workload(
        self,
        tier: Tier | None,
        containers: tuple[Container, ...],
        files: tuple[ConfigFile, ...],
        service: Mapping[str, Any],
        *,
        declared: Mapping[str, Any],
        modes: tuple[str, ...],
        claims: tuple[GpuClaim, ...] = (),
    ) -> Workload:
        labels = {
            key: value for key, value in (by_name(service.get("labels")) or {}).items() if key.startswith(FILE_LABEL)
        }
        networks = service.get("networks") or ("default",)
        return Workload(
            name=containers[0].name,
            tier=tier,
            containers=containers,
            files=files,
            digest=digest(*(part for pair in sorted(labels.items()) for part in map(str, pair))) if labels else "",
            claims=claims,
            gpus=tier.gpus if tier is not None else (),
            sealed=tier is not None and tier.service.sealed,
            networks=tuple(networks),
            declared=declared,
            modes=modes,
            nodes=self._nodes,
            claim_templates=tuple(self._each[mount.store] for mount in containers[0].mounts if mount.kind == "each"),
        )

    @property
    def _nodes(self) -> tuple[str, ...]:
        return (self._request.options.get("node", ""),)

    @property
    def _prefix(self) -> str:
        return f"{self._host.project}-" if self._request.data.prefixed else ""

    def _suffix_of(self, mode: Mode) -> str:
        own = mode.router_file != self._host.stack.modes[0].router_file and self._request.data.prefixed
        return f"-{mode.name}" if own else ""

    def _has_own_check(self, tier: Tier) -> bool:
        changed = self._host.collector.value_at((*tier.table, "override", "healthcheck", "test"))
        return tier.options.healthcheck is not None or changed is not None

    def _resource(self, tier: Tier) -> tuple[str, int] | None:
        """Return what the device plugin calls a tier's GPUs, and how many they are; None where they are claimed."""
        request = tier.gpu_request
        vendor = self._host.catalog.vendor(request.vendor) if request is not None else None
        if request is None or vendor is None or vendor.claim is None or self._request.claims_gpus:
            return None
        return vendor.claim.resource, request.number or len(self._host.stack.gpus)

    def _image(self, service: Mapping[str, Any]) -> str:
        image = literal(service.get("image", ""))
        return full_image(image) if self._request.data.full_images else image

    def _devices(self, tier: Tier) -> tuple[str, ...]:
        """Return the GPUs of a tier as container engines call them, which know the Container Device Interface."""
        request = tier.gpu_request
        vendor = self._host.catalog.vendor(request.vendor) if request is not None else None
        form = vendor.requests.get("cdi") if vendor is not None else None
        if request is None or form is None:
            return ()
        numbers = range(request.count) if isinstance(request.count, int) else ()
        ids = [*(gpu.device_id for gpu in request.gpus), *map(str, numbers)]
        return tuple(form.device_id.replace("{id}", one) for one in ids or [form.all])

    def _check_keys(self, service: Mapping[str, Any], table: KeyPath) -> None:
        """Report the keys of a compose service that the target's data does not know."""
        keys = self._request.data.keys
        for key in service:
            if refusal := keys.refusal(key):
                places = ((*table, "override", key), (*table, key))
                where = next((one for one in places if self._host.collector.value_at(one) is not None), table)
                self._refuse(where, f"{key}: {refusal}")
        if not literal(service.get("user", "0")).replace(":", "").isdigit():
            self._refuse(
                (*table, "user"), f'user: "{service["user"]}" has a name, of which only the image knows the number'
            )

    def _refuse(self, path: KeyPath, reason: str) -> None:
        """Report what cannot be said, unless all of its kind is refused, and so reported already."""
        if not any(names(pattern, path) for pattern in self._request.data.refused):
            self._errors.add(path, reason)

    def _run_as(self, tier: Tier) -> RunAs | None:
        engine = self._host.catalog.engine(tier.engine)
        if engine is None or not self._request.data.non_root:
            return None
        kind = kind_of(engine.image_kinds, plain_image(tier.service.image))
        return kind.run_as if kind is not None and tier.options.entrypoint is None else None

    def _mounts(
        self, path: str, name: str, table: KeyPath, mode: str = "", *, store: str = "", each: bool = False
    ) -> tuple[tuple[MountedPlace, ...], tuple[ConfigFile, ...]]:
        """Return the mounts of a service of a compose file, and the files of the tree among them."""
        service, declared = self._data[path]["services"][name], self._data[path].get("volumes", {})
        mounts: list[MountedPlace] = []
        files: dict[str, ConfigFile] = {}
        for mount in map(long_mount, service.get("volumes", ())):
            source, target, read_only = literal(mount["source"]), literal(mount["target"]), bool(mount.get("read_only"))
            at = MountedPlace(store=f"{store or name}-files", source=source, target=target, read_only=read_only)
            if mount["type"] == "volume":
                found = self._volume(source, declared, each=each)
                mounts.append(replace(at, store=found, kind="each" if each else "volume"))
            elif source.startswith("."):
                place = posixpath.normpath(posixpath.join(posixpath.dirname(path), source))
                own = {file.key: file for file in self._config_files(place, mode)}
                if not own:
                    self._errors.add(table, f"it mounts {source} at {target}, which is a file next to the deploy tree")
                    continue
                files |= own
                mounts.append(
                    replace(at, kind="file", source=place, sub_path=next(iter(own)) if place in self._files else "")
                )
            else:
                mounts += self._on_host(at, table)
        return tuple(mounts), tuple(files.values())

    def _config_files(self, place: str, mode: str) -> Iterator[ConfigFile]:
        """Yield the files of the tree at a place; in a mode, its own versions have the usual names as well."""
        if place in self._files:
            yield ConfigFile(key=_key(place, mode), path=place, text=self._files[place])
            return
        others = tuple(one.name for one in self._host.stack.modes if one.name and one.name != mode)
        # A mode's own version of a file is the last that has its usual name.
        for path, text in sorted(self._files.items(), key=lambda item: (bool(mode) and _is_of(item[0], (mode,)), item)):
            key = path.removeprefix(f"{place}/")
            if path == key or key.startswith("compose.") or "/" in key or _is_of(key, others):
                continue
            yield ConfigFile(key=key, path=path, text=text)
            if mode and _is_of(key, (mode,)):
                yield ConfigFile(key=_key(key, mode), path=path, text=text)

    def _volume(self, name: str, declared: Mapping[str, Any], *, each: bool) -> str:
        own = self._host.inventory.hfcache.volume
        size = "hfcache_size" if name == own else "cache_size"
        said = declared.get(name) or {}
        own = str(said.get("name", name)) if said.get("external") else f"{self._host.project}_{name}"
        if each:
            self._each[label(name)] = Store(name=label(name), size=self._request.options.get(size, ""))
            return label(name)
        return self._store(label(name), "", size, volume=own)

    def _on_host(self, mount: MountedPlace, table: KeyPath) -> Iterator[MountedPlace]:
        """Yield a mount of a folder of the host as it is on the machine; nothing where it cannot be there."""
        source, cache = mount.source, self._host.inventory.hfcache.path
        for name, root, own in (
            ("models", self._host.models, self._request.options["models_path"]),
            ("hfcache", None if cache is UNSET else cache, None),
        ):
            if root is not None and (source == root or source.startswith(f"{root.rstrip('/')}/")):
                here = own or root
                if not here.startswith("/"):
                    self._no_folder(here, name)
                inside = source[len(root.rstrip("/")) + 1 :]
                store = self._store(name, here, f"{name}_size", read_only=name == "models")
                place = posixpath.join(here, inside) if inside else here
                yield replace(mount, store=store, source=place, sub_path=inside)
                return
        if self._request.data.host_paths:
            yield replace(mount, store=self._store(label(source), source, "cache_size", read_only=mount.read_only))
        elif self._host.collector.value_at((*table, "mounts", mount.target)) is None:  # else that has been reported
            own_place = (*table, "override", "volumes")
            where = own_place if self._host.collector.value_at(own_place) is not None else table
            self._refuse(where, f"it mounts {source} at {mount.target}, and only models and the cache are there")

    def _no_folder(self, path: str, name: str) -> None:
        detail = f"{self._request.data.title}: {path} is no folder of a Linux machine"
        remedy = f'say where it is there: models_path = "/srv/models" in [{self._request.name}]'
        self._host.collector.add("missing-key", ("paths", name), detail, remedy)

    def _store(self, name: str, path: str, size: str, *, read_only: bool = False, volume: str = "") -> str:
        name, options = f"{name}{self._suffix}", self._request.options
        self._stores.setdefault(
            name,
            Store(
                name=name,
                path=path,
                size=options.get(size, ""),
                nodes=self._nodes,
                read_only=read_only,
                volume=volume,
            ),
        )
        return name

    def _claims(self, tier: Tier) -> Iterator[GpuClaim]:
        """Yield how a tier gets its GPUs: those that it shares in some mode one by one, the others together."""
        gpus = [gpu for gpu in tier.gpus if gpu.uuid is not None]
        shared = [gpu for gpu in gpus if _is_shared(self._stack, gpu)]
        for gpu in shared:
            yield self._claim(f"gpu-{label(gpu.name)}", [gpu], shared=True)
        own = [gpu for gpu in gpus if gpu not in shared]
        classes = dict.fromkeys(self._device_class(gpu) for gpu in own)
        for at, device_class in enumerate(classes):
            group = [gpu for gpu in own if self._device_class(gpu) == device_class]
            suffix = f"-{at + 1}" if at else ""
            yield self._claim(f"{tier.service.name}{self._suffix}-gpus{suffix}", group, shared=False)

    def _claim(self, name: str, gpus: list[Gpu], *, shared: bool) -> GpuClaim:
        vendor = self._host.catalog.vendor(gpus[0].vendor)
        attribute = vendor.claim.uuid if vendor is not None and vendor.claim is not None else ""
        return GpuClaim(
            name=name,
            shared=shared,
            device_class=self._device_class(gpus[0]),
            attribute=attribute,
            uuids=tuple(gpu.device_id for gpu in gpus),
            count=len(gpus),
            words=", ".join(gpu.name for gpu in gpus),
        )

    def _device_class(self, gpu: Gpu) -> str:
        vendor = self._host.catalog.vendor(gpu.vendor)
        classes = vendor.claim.classes if vendor is not None and vendor.claim is not None else {}
        return next((name for start, name in classes.items() if gpu.device_id.startswith(start)), "")


def full_image(image: str) -> str:
    """Return an image with its registry: Docker's own, where none is named."""
    registry, slash, _ = image.partition("/")
    if slash and ("." in registry or ":" in registry or registry == "localhost"):
        return image
    return f"docker.io/{image}" if slash else f"docker.io/library/{image}"


def _with_conflicts(one: Workload, others: Iterable[Workload]) -> Workload:
    """Return a workload with the units that run in other modes alone."""
    apart = [other for other in others if one.modes and other.modes and not {*one.modes} & {*other.modes}]
    return replace(one, conflicts=tuple(unit.unit for other in apart for unit in other.containers))


def _is_shared(stack: Stack, gpu: Gpu) -> bool:
    return any(sum(gpu in tier.gpus for tier in mode.tiers) > 1 for mode in stack.modes)


def _is_of(name: str, modes: Iterable[str]) -> bool:
    return any(f".{mode}." in name for mode in modes)


def _key(path: str, mode: str) -> str:
    """Return the name of a file among those of its workload; in a mode, that of the default mode's."""
    inside = path.partition(".files/")[2] or path.removeprefix(_ROUTER_FOLDER)
    return (inside.replace(f".{mode}.", ".", 1) if mode else inside).replace("/", ".")


def label(name: str) -> str:
    """Return a name of which only lower-case letters, digits and hyphens are left."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
