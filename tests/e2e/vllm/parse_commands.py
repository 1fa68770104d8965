"""Runs inside the image: what vLLM's own parser says to command lines, as JSON from stdin to stdout.

`{"commands": {name: [words after vllm]}}` becomes `{"commands": {name: "" or its error}, "flags": [every spelling]}`.
"""

import contextlib
import io
import json
import sys
from collections.abc import Sequence
from typing import Any

from vllm.entrypoints.cli.serve import ServeSubcommand
from vllm.utils.argparse_utils import FlexibleArgumentParser


def parsers() -> tuple[Any, Any, Any]:
    """Return the parser of `vllm`, that of `vllm serve`, and the subcommand, as its program makes them."""
    parser = FlexibleArgumentParser(prog="vllm")
    subcommand = ServeSubcommand()
    serve = subcommand.subparser_init(parser.add_subparsers(dest="subparser"))
    return parser, serve, subcommand


def error_of(words: Sequence[str]) -> str:
    """Return the last line of what the parser says to a command line, nothing where it takes it."""
    # The parser also reads the process's own command line.
    sys.argv = ["vllm", *words]
    parser, _, subcommand = parsers()
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            subcommand.validate(parser.parse_args(list(words)))
    except (SystemExit, ValueError, TypeError) as error:
        return (said.getvalue().strip().splitlines() or [str(error)])[-1]
    return ""


def main() -> None:
    """Answer on the stdout that the process was given: vLLM's own log may not come between."""
    asked = json.load(sys.stdin)
    answers = {name: error_of(words) for name, words in asked["commands"].items()}
    sys.argv = ["vllm"]
    spellings = sorted(parsers()[1]._option_string_actions)
    sys.stdout.write(json.dumps({"commands": answers, "flags": spellings}) + "\n")


if __name__ == "__main__":
    main()
