"""A model server's GPUs: which it holds, how much of each, and the image that fits them."""

from msgspec import UNSET

from anvil_gen.catalog.engine import Engine
from anvil_gen.diagnostics import did_you_mean, join_words
from anvil_gen.resolve.context import AnyServer, ResolveContext
from anvil_gen.resolve.gpu_model import Gpu, GpuRequest
from anvil_gen.resolve.options import ServerOptions
from anvil_gen.text.units import MIB, parse_size
from anvil_gen.values import KeyPath, Number, Text, VariableValue, text_of


def find_gpus(
    context: ResolveContext, options: ServerOptions, engine: Engine | None, path: KeyPath
) -> GpuRequest | None:
    """Return the GPUs that a model server asks for; None for the processor."""
    if options.gpu_count is not None:
        vendor = _vendor_of_unnamed(context, engine, (*path, options.gpus_key))
        return GpuRequest(vendor=vendor, count=options.gpu_count)
    named = _named_gpus(context, options, path)
    return GpuRequest(vendor=named[0].vendor, gpus=named) if named else None


def _vendor_of_unnamed(context: ResolveContext, engine: Engine | None, path: KeyPath) -> str:
    """Return the vendor of GPUs without names: that of `[gpus]`; of several, the one that the engine runs on."""
    usual: str = context.catalog.defaults["gpu"]["vendor"]
    tables = context.inventory.gpus.values()
    vendors = sorted({usual if table.vendor is UNSET else table.vendor for table in tables}) or [usual]
    fitting = [vendor for vendor in vendors if engine is not None and vendor in engine.vendors] or vendors
    if len(fitting) > 1:
        detail = f"[gpus] has GPUs of {join_words(fitting)}"
        context.collector.add("gpus-of-two-vendors", path, detail, "name those that it takes: gpus = [...]")
    return fitting[0]


def _named_gpus(context: ResolveContext, options: ServerOptions, path: KeyPath) -> tuple[Gpu, ...]:
    """Return the GPUs that a model server names, with a diagnostic for each that is unknown or named twice."""
    found: list[Gpu] = []
    for place, name in options.named_gpus:
        here, gpu = (*path, *place), context.gpus.get(name)
        if gpu is None:
            _unknown_gpu(context, name, here)
        elif gpu in found:
            context.collector.add("gpu-named-twice", here, f'"{name}" is in this list already', "name each GPU once")
        else:
            found.append(gpu)
    return tuple(found)


def _unknown_gpu(context: ResolveContext, name: str, path: KeyPath) -> None:
    known = context.inventory.gpus
    if name in known or context.collector.is_dropped(("gpus", name)):  # it is there, and its error has been reported
        return
    detail = f'"{name}" is not defined in [gpus]' + (f" (defined: {join_words(known)})" if known else "")
    all_of_them = f'write {path[-2]} = "all", without a list' if name == "all" else ""
    remedy = all_of_them or did_you_mean(name, known) or f'add a table [gpus.{name}] with its "uuid"'
    context.collector.add("unknown-gpu", path, detail, remedy)


def check_vendors(context: ResolveContext, server: AnyServer, engine: Engine) -> None:
    path = (*server.path, server.options.gpus_key)
    vendors = sorted({gpu.vendor for gpu in server.gpus})
    if server.gpu_request is not None and not vendors:
        vendors = [server.gpu_request.vendor]
    if len(vendors) > 1:
        context.collector.add(
            "gpus-of-two-vendors", path, " and ".join(vendors), "one tier takes the GPUs of one vendor"
        )
    for vendor in vendors:
        if vendor not in engine.vendors and server.options.image is not None:
            detail = f"{engine.title} is known to run on {join_words(engine.vendors) or 'the processor only'}"
            remedy = "nothing, if the image is for them"
            context.collector.add("other-gpus-than-known", path, detail, remedy, severity="warning")
        elif vendor not in engine.vendors:
            runs = join_words(engine.vendors) or "the processor only"
            detail = f'{engine.title} has no GPUs of vendor "{vendor}": it runs on {runs}'
            context.collector.add("not-for-this-engine", path, detail, "take another GPU, or another engine")
    request = server.gpu_request
    if request is not None and isinstance(request.count, VariableValue):
        _check_counted(context, request.vendor, path)
    if request is not None and request.count != "all" and not request.has_uuids:
        _check_pins(context, request.vendor, path)


def _check_counted(context: ResolveContext, name: str, path: KeyPath) -> None:
    """Report a number of GPUs that is a variable, where each of them is written."""
    vendor = context.catalog.vendor(name)
    form = {str(key): form for key, form in vendor.requests.items()}.get(context.gpu_request) if vendor else None
    if form is not None and not form.counts:
        detail = f"{context.gpu_request} of {name} GPUs names each of them"
        remedy = 'write the number, or "all"'
        context.collector.add("variable-where-a-value-is-needed", path, detail, remedy)


def _check_pins(context: ResolveContext, name: str, path: KeyPath) -> None:
    """Report GPUs without UUIDs of a vendor whose variables need these: an engine would get every GPU."""
    vendor = context.catalog.vendor(name)
    if vendor is not None and any("{uuids}" in value for value in vendor.environment.values()):
        detail = f"{vendor.title} GPUs are pinned by UUID alone"
        context.collector.add("not-for-this-vendor", path, detail, "name GPUs with a uuid in [gpus]")


def share_of(context: ResolveContext, server: AnyServer) -> Number | None:
    """Return the share of each GPU that a model server takes, from either of its two fields."""
    options = server.options
    fraction, memory = options.gpu_memory_utilization, options.gpu_memory
    if memory is None:
        return fraction if isinstance(fraction, Number) else None
    path = (*server.path, "gpu_memory")
    if fraction is not None:
        context.collector.add(
            "two-fields-for-one-thing",
            path,
            '"gpu_memory" and "gpu_memory_utilization" both say how much of a GPU is taken',
            "keep one of them",
        )
        return fraction if isinstance(fraction, Number) else None
    totals = {gpu.memory_mib for gpu in server.gpus}
    total = totals.pop() if len(totals) == 1 else None
    if total is None:
        if not gpus_have_errors(context, server):
            why, remedy = "its GPUs' memory is unknown or differs", "set memory_mib of each GPU, all alike"
            if server.gpu_request is None:
                why, remedy = "it holds no GPU", "name the GPU that it holds"
            elif not server.gpus:
                why, remedy = "its GPUs are not named", "name them, with their memory_mib in [gpus]"
            remedy = f"{remedy}, or use gpu_memory_utilization"
            context.collector.add("share-of-a-gpu-cannot-be-computed", path, why, remedy)
        return None
    ten_thousandths = int(min(parse_size(memory) / MIB / total * 10_000, 20_000))
    if not 1 <= ten_thousandths <= 10_000:
        detail = f"{memory} is {'more than the GPU has' if ten_thousandths else 'next to nothing'}"
        context.collector.add("number-out-of-range", path, detail, f"{total} MiB at most")
        return None
    return Number(f"{ten_thousandths / 10_000:.4f}".rstrip("0").rstrip("."))


def gpus_have_errors(context: ResolveContext, server: AnyServer) -> bool:
    """Return whether an error of the server's GPUs, or of their memory, has been reported."""
    left_out = context.collector.is_dropped
    return (
        len(server.gpus) < len(server.options.named_gpus)
        or left_out((*server.path, server.options.gpus_key))
        or any(left_out(("gpus", gpu.name, "memory_mib")) for gpu in server.gpus)
    )


def image_of(
    context: ResolveContext, options: ServerOptions, engine: Engine | None, gpus: GpuRequest | None, path: KeyPath
) -> Text:
    """Return the image of a model server, with the digest that the lock holds it to."""
    return context.lock.image(_image_of(context, options, engine, gpus, path))


def _image_of(
    context: ResolveContext, options: ServerOptions, engine: Engine | None, gpus: GpuRequest | None, path: KeyPath
) -> Text:
    """Return the image that the inventory names, else the engine's for these GPUs."""
    named = options.image
    if options.build is not None and (options.path_of("image") or ())[: len(path)] != path:
        return ""  # what is built is no other tier's image
    if named is not None:
        return text_of(named)
    if engine is None:
        return ""
    images = engine.images.get(gpus.vendor, {}) if gpus is not None else {}
    capabilities = {gpu.compute_capability for gpu in gpus.gpus} if gpus is not None else set()
    fitting = next((image for key, image in images.items() if key in capabilities), images.get("default"))
    if fitting is not None:
        return engine.architectures.get(context.architecture, {}).get(fitting, fitting)
    if not engine.image or (gpus is not None and not images and gpus.vendor in engine.images):
        context.collector.missing_key(path, "image", f'write image = "…": {engine.title} has no image of its own')
    elif gpus is not None and images:
        _no_image(context, engine, gpus, path)
    default = engine.image if gpus is not None or not engine.image_cpu else engine.image_cpu
    return engine.architectures.get(context.architecture, {}).get(default, default)


def _no_image(context: ResolveContext, engine: Engine, gpus: GpuRequest, path: KeyPath) -> None:
    """Report GPUs for which an engine has images, but none for their compute capability."""
    known, first = ", ".join(engine.images[gpus.vendor]), next(iter(gpus.gpus), None)
    capability = first.compute_capability if first is not None else None
    detail = f"{engine.title} has images for compute capability {known}; the GPU's is {capability or 'not set'}"
    remedy = "set image" if capability else "name the GPUs, with their compute_capability in [gpus], or set image"
    if first is not None and not capability:
        remedy = f"set compute_capability of gpus.{first.name}, or image"
    context.collector.add("no-image-for-this-gpu", path, detail, remedy, key=True)
