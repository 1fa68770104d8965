"""How a service asks for its GPUs, by the form that the host sets and its vendor's data describes."""

from collections.abc import Iterator

from anvil_gen.catalog.gpu_vendor import GpuForm
from anvil_gen.resolve.context import ResolveContext
from anvil_gen.resolve.gpu_model import GpuRequest, Reservation
from anvil_gen.resolve.model import EnvVar
from anvil_gen.values import Text, VariableValue, concat, fill


def reservation_of(
    context: ResolveContext, request: GpuRequest | None, device_ids: tuple[Text, ...]
) -> Reservation | None:
    """Return what a service asks for; ``device_ids`` are those of the GPUs that are named."""
    if request is None:
        return None
    form = _form(context, request.vendor)
    count = request.count if form.counts else None
    ids = _ids(form, request, device_ids) if count is None else ()
    return Reservation(
        vendor=request.vendor,
        driver=form.driver,
        runtime=form.runtime,
        device_ids=tuple(fill(form.device_id, {"id": one}) for one in ids),
        count=count,
    )


def gpu_environment(
    context: ResolveContext, request: GpuRequest | None, device_ids: tuple[Text, ...]
) -> Iterator[EnvVar]:
    """Yield the variables that pin an engine to its GPUs, and those that always go with them."""
    vendor = context.catalog.vendor(request.vendor) if request is not None else None
    if request is None or vendor is None:
        return
    form = _form(context, request.vendor)
    lists: dict[str, Text] = {}
    ids = _ids(form, request, device_ids)
    if ids:
        lists["ids"] = concat(*[part for one in ids for part in (",", one)][1:])
    if request.has_uuids:
        lists["uuids"] = lists["ids"]
    platform = vendor.platforms.get(context.platform, {})
    for name, value in {**vendor.environment, **form.environment, **platform}.items():
        if all("{" + missing + "}" not in value for missing in {"ids", "uuids"} - lists.keys()):
            yield EnvVar(name=name, value=fill(value, lists))


def _form(context: ResolveContext, vendor: str) -> GpuForm:
    """Return the form that the host sets; an empty one, for which there is an error, where the vendor lacks it."""
    data = context.catalog.vendor(vendor)
    forms = {str(name): form for name, form in data.requests.items()} if data is not None else {}
    return forms.get(context.gpu_request, GpuForm())


def _ids(form: GpuForm, request: GpuRequest, named: tuple[Text, ...]) -> tuple[Text, ...]:
    """Return the ids of GPUs: a number of them is the first ones, as for Docker, and all may have a word."""
    if request.count is None:
        return named
    if isinstance(request.count, VariableValue):
        return ()  # Compose counts them
    if isinstance(request.count, int):
        return tuple(map(str, range(request.count)))
    return (form.all,) if form.all else ()
