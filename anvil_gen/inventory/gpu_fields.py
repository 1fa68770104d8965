"""The values of keys about GPUs: which a tier holds, and how they divide a model."""

from typing import Annotated, Literal

from msgspec import Meta

from anvil_gen.inventory.fields import NEEDS_DEFAULT, VARIABLE, GpuName

GpuIndex = Annotated[
    int,
    Meta(
        description="The GPU's number on the host, from 0, instead of its UUID. It may be another GPU's one day.",
        ge=0,
        le=99,
        examples=[0],
        extra_json_schema={VARIABLE: NEEDS_DEFAULT},
    ),
]
GpuCount = Annotated[
    int,
    Meta(description="A number of GPUs.", ge=1, le=64, examples=[2], extra_json_schema={VARIABLE: NEEDS_DEFAULT}),
]
Gpus = Annotated[
    list[GpuName] | GpuCount | Literal["all"],
    Meta(
        description='GPUs that the tier holds: names of `[gpus]`, `"all"` of the host, or a number, which is the first '
        "ones, as Docker counts them, and may be a variable. Without names nothing can be checked of them.",
        examples=[["rtx5090"], "all", 2],
    ),
]
GpuRequest = Annotated[
    Literal["reservation", "cdi", "runtime"],
    Meta(
        description="How containers ask for GPUs: by Compose's reservation, by names of the Container Device "
        "Interface, or by the vendor's runtime and its variable (Jetson).",
        examples=["cdi"],
    ),
]
TensorParallel = Annotated[
    int,
    Meta(
        description="GPUs that share each layer; without any of the three sizes, all that the tier holds.",
        ge=1,
        examples=[2],
        extra_json_schema={"x-unit": "GPUs"},
    ),
]
PipelineParallel = Annotated[
    int,
    Meta(
        description="Stages that the layers are divided into, each on GPUs of its own.",
        ge=1,
        examples=[2],
        extra_json_schema={"x-unit": "stages"},
    ),
]
DataParallel = Annotated[
    int,
    Meta(
        description="Copies of the model, each with requests of its own.",
        ge=1,
        examples=[2],
        extra_json_schema={"x-unit": "copies"},
    ),
]
ExpertParallel = Annotated[
    bool | Annotated[int, Meta(ge=1)],
    Meta(
        description="Whether a mixture of experts is divided by expert, over all GPUs that share the layers; a number "
        "says over how many, where the engine takes one.",
        examples=[True],
    ),
]
