"""A host as the templates of a target see it: what runs together, where its files are, and which GPUs it claims."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import UNSET, Struct
from msgspec.structs import replace

from anvil_gen.catalog.image_kind import RunAs, kind_of
from anvil_gen.catalog.release import plain_image
from anvil_gen.digests import digest
from anvil_gen.render.workloads import Container, MountedPlace, container, literal
from anvil_gen.resolve.gpu_model import Gpu
from anvil_gen.resolve.host import Host
from anvil_gen.resolve.model import FILE_LABEL, Mode, Stack, Tier
from anvil_gen.resolve.target import TargetErrors, TargetRequest
from anvil_gen.values import KeyPath

_ROUTER_FOLDER = "router/"


class Store(Struct, frozen=True, kw_only=True):
    """Where mounts are from: a folder of the host (`path`), or a volume of its own."""

    name: str
    path: str = ""
    size: str
    read_only: bool = False


class ConfigFile(Struct, frozen=True, kw_only=True):
    """A file that is mounted: its name among those of the workload, its path in the deploy tree, and its text."""

    key: str
    path: str
    text: str


class GpuClaim(Struct, frozen=True, kw_only=True):
    """GPUs of one tier, or one that several tiers share."""

    name: str
    shared: bool
    device_class: str
    count: int
    selector: str  # of CEL
    words: str


class Workload(Struct, frozen=True, kw_only=True):
    """A service with those that live in its network, and what they need."""

    name: str
    tier: Tier | None
    containers: tuple[Container, ...]
    files: tuple[ConfigFile, ...]
    digest: str  # of its files; empty where they are read again, or there are none
    claims: tuple[GpuClaim, ...]
    gpus: tuple[Gpu, ...]
    sealed: bool
    networks: tuple[str, ...]
    declared: Mapping[str, Any]  # volumes of its file, as Compose has them

    @property
    def files_name(self) -> str:
        """The store of its files."""
        return f"{self.name}-files"

    @property
    def stores(self) -> tuple[str, ...]:
        """The stores that its containers mount, without that of its files."""
        found = dict.fromkeys(mount.store for one in self.containers for mount in one.mounts)
        return tuple(name for name in found if name != self.files_name)

    @property
    def shared_memory(self) -> int | None:
        """The bytes of memory that its processes share, 0 for no limit; None for the usual amount."""
        return next((one.shared_memory for one in self.containers if one.shared_memory is not None), None)

    @property
    def is_non_root(self) -> bool:
        """Whether every container is known to run without root."""
        return all(one.user for one in self.containers)


class ModeView(Struct, frozen=True, kw_only=True):
    """A mode: what runs, and the router's files with its digest there."""

    name: str
    tiers: tuple[str, ...]
    files: tuple[ConfigFile, ...]
    digest: str

    @property
    def digest_patch(self) -> str:
        """What puts its digest in the place of the default mode's."""
        path = "/spec/template/metadata/annotations/anvil-gen~1files"
        return json.dumps([{"op": "replace", "path": path, "value": self.digest}])


class TargetView(Struct, frozen=True, kw_only=True):
    """Everything that a target's templates are given besides the stack."""

    options: Mapping[str, Any]
    tiers: tuple[Workload, ...]
    router: Workload | None
    stores: tuple[Store, ...]
    claims: tuple[GpuClaim, ...]  # those that several tiers share
    modes: tuple[ModeView, ...]

    @property
    def workloads(self) -> tuple[Workload, ...]:
        """All of them, the router last."""
        return (*self.tiers, *((self.router,) if self.router is not None else ()))

    @property
    def is_non_root(self) -> bool:
        """Whether everything is known to run without root."""
        return all(one.is_non_root for one in self.workloads)


class ViewBuilder:
    """Reads the compose files of one host for one target; what that cannot say goes to the host's collector."""

    def __init__(self, host: Host, request: TargetRequest, files: Mapping[str, str], data: Mapping[str, Any]) -> None:
        """Take a host with its rendered and parsed deploy tree."""
        self._host = host
        self._request = request
        self._files = files
        self._data = data
        self._errors = TargetErrors(host.collector, request)
        self._stores: dict[str, Store] = {}

    def view(self, stack: Stack) -> TargetView:
        """Return what the target's templates are given."""
        tiers = tuple(self._tier(stack, tier) for tier in stack.tiers)
        routers = {mode.name: self._router(mode) for mode in stack.modes}
        claims = {claim.name: claim for tier in tiers for claim in tier.claims if claim.shared}
        default = routers[stack.modes[0].name]
        modes = tuple(
            ModeView(
                name=mode.name,
                tiers=tuple(tier.service.name for tier in mode.tiers),
                files=own.files if (own := routers[mode.name]) is not None else (),
                digest=own.digest if own is not None else "",
            )
            for mode in stack.modes
        )
        return TargetView(
            options=self._request.options,
            tiers=tiers,
            router=default,
            stores=tuple(self._stores.values()),
            claims=tuple(claims.values()),
            modes=modes,
        )

    def _tier(self, stack: Stack, tier: Tier) -> Workload:
        path = f"tiers/{tier.name}.yml"
        service = self._data[path]["services"][tier.service.name]
        mounts, files = self._mounts(service, "tiers", tier.service.name, tier.table)
        self._check_keys(service, tier.table)
        one = container(tier.service.name, service, mounts=mounts, tier=tier, run_as=self._run_as(tier), image="")
        claims = tuple(self._claims(stack, tier)) if self._request.data.gpu_claims else ()
        declared = self._data[path].get("volumes", {})
        return self._workload(tier, (one,), files, service, declared=declared, claims=claims)

    def _router(self, mode: Mode) -> Workload | None:
        """Return the router of a mode, with what reloads it."""
        if mode.router is None:
            return None
        name, found, files = mode.router.service, [], dict[str, ConfigFile]()
        services = self._data[mode.router_file]["services"]
        for one, service in services.items():
            mounts, own = self._mounts(service, "router", name, ("router",), mode.name)
            files |= {file.key: file for file in own}
            self._check_keys(service, ("router",))
            image = self._request.options["router_image"] or ""
            found.append(container(one, service, mounts=mounts, tier=None, run_as=None, image=image))
        declared = self._data[mode.router_file].get("volumes", {})
        return self._workload(None, tuple(found), tuple(files.values()), services[name], declared=declared)

    def _workload(
        self,
        tier: Tier | None,
        containers: tuple[Container, ...],
        files: tuple[ConfigFile, ...],
        service: Mapping[str, Any],
        *,
        declared: Mapping[str, Any],
        claims: tuple[GpuClaim, ...] = (),
    ) -> Workload:
        labels = {key: value for key, value in service.get("labels", {}).items() if key.startswith(FILE_LABEL)}
        networks = service.get("networks", ())
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
        )

    def _check_keys(self, service: Mapping[str, Any], table: KeyPath) -> None:
        """Report the keys of a compose service that the target's data does not know."""
        keys = self._request.data.keys
        for key in service:
            if key not in keys.said and key not in keys.left_out:
                own = (*table, "override", key)
                where = own if self._host.collector.value_at(own) is not None else table
                self._errors.add(where, f"{key}: {keys.refused.get(key, 'it has no word for this key of Compose')}")

    def _run_as(self, tier: Tier) -> RunAs | None:
        engine = self._host.catalog.engine(tier.engine)
        if engine is None or not self._request.data.non_root:
            return None
        kind = kind_of(engine.image_kinds, plain_image(tier.service.image))
        return kind.run_as if kind is not None and tier.options.entrypoint is None else None

    def _mounts(
        self, service: Mapping[str, Any], folder: str, name: str, table: KeyPath, mode: str = ""
    ) -> tuple[tuple[MountedPlace, ...], tuple[ConfigFile, ...]]:
        """Return the mounts of a compose service, and the files of the tree among them."""
        mounts: list[MountedPlace] = []
        files: dict[str, ConfigFile] = {}
        for mount in service.get("volumes", ()):
            source, target, read_only = literal(mount["source"]), literal(mount["target"]), bool(mount.get("read_only"))
            at = MountedPlace(store=f"{name}-files", source=source, target=target, read_only=read_only)
            own_place = (*table, "mounts", target)
            if self._host.collector.value_at(own_place) is not None and self._errors.is_left_out(own_place):
                continue
            if mount["type"] == "volume":
                mounts.append(replace(at, store=self._volume(source)))
            elif source.startswith("."):
                place = posixpath.normpath(posixpath.join(folder, source))
                own = {file.key: file for file in self._config_files(place, mode)}
                if not own:
                    self._errors.add(table, f"it mounts {source} at {target}, which is a file next to the deploy tree")
                    continue
                files |= own
                mounts.append(replace(at, source=place, sub_path=next(iter(own)) if place in self._files else ""))
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

    def _volume(self, name: str) -> str:
        own = self._host.inventory.hfcache.volume
        size = "hfcache_size" if name == own else "cache_size"
        return self._store(_label(name), "", size)

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
            yield replace(mount, store=self._store(_label(source), source, "cache_size", read_only=mount.read_only))
        elif self._host.collector.value_at((*table, "mounts", mount.target)) is None:  # else that has been reported
            self._errors.add(table, f"it mounts {source} at {mount.target}, and only models and the cache are there")

    def _no_folder(self, path: str, name: str) -> None:
        detail = f"{self._request.data.title}: {path} is no folder of a Linux machine"
        remedy = f'say where it is there: models_path = "/srv/models" in [{self._request.name}]'
        self._host.collector.add("missing-key", ("paths", name), detail, remedy)

    def _store(self, name: str, path: str, size: str, *, read_only: bool = False) -> str:
        stated = self._request.options.get(size, "")
        self._stores.setdefault(name, Store(name=name, path=path, size=stated, read_only=read_only))
        return name

    def _claims(self, stack: Stack, tier: Tier) -> Iterator[GpuClaim]:
        """Yield how a tier gets its GPUs: those that it shares in some mode one by one, the others together."""
        gpus = [gpu for gpu in tier.gpus if gpu.uuid is not None]
        shared = [gpu for gpu in gpus if _is_shared(stack, gpu)]
        for gpu in shared:
            yield self._claim(f"gpu-{_label(gpu.name)}", [gpu], shared=True)
        own = [gpu for gpu in gpus if gpu not in shared]
        classes = dict.fromkeys(self._device_class(gpu) for gpu in own)
        for at, device_class in enumerate(classes):
            group = [gpu for gpu in own if self._device_class(gpu) == device_class]
            suffix = f"-{at + 1}" if at else ""
            yield self._claim(f"{tier.service.name}-gpus{suffix}", group, shared=False)

    def _claim(self, name: str, gpus: list[Gpu], *, shared: bool) -> GpuClaim:
        vendor = self._host.catalog.vendor(gpus[0].vendor)
        attribute = vendor.claim.uuid if vendor is not None and vendor.claim is not None else ""
        uuids = [json.dumps(gpu.device_id) for gpu in gpus]
        selector = f"{attribute} == {uuids[0]}" if len(uuids) == 1 else f"{attribute} in [{', '.join(uuids)}]"
        return GpuClaim(
            name=name,
            shared=shared,
            device_class=self._device_class(gpus[0]),
            count=len(gpus),
            selector=selector,
            words=", ".join(gpu.name for gpu in gpus),
        )

    def _device_class(self, gpu: Gpu) -> str:
        vendor = self._host.catalog.vendor(gpu.vendor)
        classes = vendor.claim.classes if vendor is not None and vendor.claim is not None else {}
        return next((name for start, name in classes.items() if gpu.device_id.startswith(start)), "")


def _is_shared(stack: Stack, gpu: Gpu) -> bool:
    return any(sum(gpu in tier.gpus for tier in mode.tiers) > 1 for mode in stack.modes)


def _is_of(name: str, modes: Iterable[str]) -> bool:
    return any(f".{mode}." in name for mode in modes)


def _key(path: str, mode: str) -> str:
    """Return the name of a file among those of its workload; in a mode, that of the default mode's."""
    inside = path.partition(".files/")[2] or path.removeprefix(_ROUTER_FOLDER)
    return (inside.replace(f".{mode}.", ".", 1) if mode else inside).replace("/", ".")


def _label(name: str) -> str:
    """Return a name of which only lower-case letters, digits and hyphens are left."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
