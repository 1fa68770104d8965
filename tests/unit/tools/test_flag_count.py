"""The count that is independent of the parser: what it finds in a source, and what it leaves out."""

from __future__ import annotations

from pathlib import Path

from flag_count import counted

ARGUMENTS = """
class Config:
    def add(self, parser):
        parser.add_argument("--not-of-the-command-line")

class EngineArgs:
    @staticmethod
    def add_cli_args(parser):
        parser.add_argument("--model", **model_kwargs["model"])
        group.add_argument("--max-model-len", "-l", type=int)
        parser.add_argument("positional")
        parser.add_argument("-q", "--quiet")
        for flag, kind in [("--from-a-pair", int), ("--from-another", str)]:
            parser.add_argument(flag, type=kind)

class AsyncEngineArgs(EngineArgs):
    @staticmethod
    def add_cli_args(parser):
        parser.add_argument("--enable-log-requests", action="store_true")
"""
FRONTEND = """
class BaseFrontendArgs:
    host: str | None = None
    shared: ClassVar[int] = 3
    def method(self): ...

class FrontendArgs(BaseFrontendArgs):
    api_key: list[str] | None = None

def make_arg_parser(parser):
    parser.add_argument("--config")
    return parser

def other(parser):
    parser.add_argument("--other")
"""
SGLANG = """
class ServerArgs:
    model_path: A[str, "the path"]
    tp_size: A[int, Arg(help="how many", cli_name="--tensor-parallel-size")]
    computed: A[int, Arg(help="no flag", no_cli=True)]
    plain: int = 3
    typed: Annotated[int, "no flag"] = 3

    @staticmethod
    def add_cli_args(parser):
        parser.add_argument("--config")
"""


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write a source tree, and return its folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


def test_vllm_by_its_parser_and_the_fields_of_its_front_end(tmp_path: Path) -> None:
    files = {"engine/arg_utils.py": ARGUMENTS, "entrypoints/openai/cli_args.py": FRONTEND}
    files |= {"entrypoints/cli/serve.py": 'def cmd(parser):\n    parser.add_argument("--headless")\n'}
    files |= {"entrypoints/other/cli_args.py": 'parser.add_argument("--of-another-program")\n'}
    source = write(tmp_path, {f"vllm/{name}": text for name, text in files.items()})

    of_the_engine = {"model", "max-model-len", "from-a-pair", "from-another", "enable-log-requests"}
    assert counted("vllm", source) == {*of_the_engine, "host", "api-key", "config", "headless"}


def test_sglang_by_the_annotations_of_its_fields(tmp_path: Path) -> None:
    group = 'class Log:\n    log_level: A[str, f"one of {LEVELS}"] = "info"\n'
    files = {"sglang/srt/server_args.py": SGLANG, "sglang/srt/arg_groups/fields/log.py": group}

    assert counted("sglang", write(tmp_path, files)) == {"model-path", "tensor-parallel-size", "config", "log-level"}
