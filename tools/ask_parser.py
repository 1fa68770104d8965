"""Ask a Python engine's real parser about command lines: `ask_parser.py ENGINE SOURCE`, in a process of its own.

`{name: [words]}` on stdin becomes `{name: "" or what the parser says}` on stdout.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
from collections.abc import Sequence

from dump_parser import real_parser


def error_of(parser: argparse.ArgumentParser, words: Sequence[str]) -> str:
    """Return the last line of what a parser says to a command line; nothing where it takes it."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parser.parse_args(list(words))
    except (SystemExit, ValueError, TypeError) as error:
        return (said.getvalue().strip().splitlines() or [str(error)])[-1]
    return ""


def main() -> None:
    """Answer all command lines."""
    engine, source = sys.argv[1:]
    answer, sys.stdout = sys.stdout, sys.stderr  # an engine that is imported may log
    parser, _, _ = real_parser(engine, source)
    answer.write(json.dumps({name: error_of(parser, words) for name, words in json.load(sys.stdin).items()}))


if __name__ == "__main__":
    main()
