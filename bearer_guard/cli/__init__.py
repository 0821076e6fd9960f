"""The command `bearer-guard`: which subcommand runs, and what its end means to the shell.

Exit status 0: all is as it should be; 1: it is not; 2: the command could not be run; 130: ended by Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Final

from .._version import VERSION

INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (that of the process by default) and return its exit status."""
    options = _parser().parse_args(argv)
    try:
        return _issuer(options) if options.command == "issuer" else _demo(options)
    except KeyboardInterrupt:
        print("\nended by Ctrl-C", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    from .issuer import add_parsers

    parser = argparse.ArgumentParser(prog="bearer-guard", description="OAuth 2.0 bearer tokens for Python web APIs.")
    parser.add_argument("--version", action="version", version=f"bearer-guard {VERSION}")
    commands = parser.add_subparsers(title="commands", dest="command", required=True)
    demo = commands.add_parser(
        "demo",
        help="an issuer, a Starlette and a Flask API on this machine, and what the guard answers",
        description="Starts an issuer, a Starlette API and a Flask API on free loopback ports, both behind one guard, "
        "and shows over real HTTP which tokens pass. Exit status 0 only if every answer is the expected one.",
    )
    ending = demo.add_mutually_exclusive_group()
    ending.add_argument(
        "--serve", action="store_true", help="keep everything up afterwards and print curl lines to try"
    )
    ending.add_argument("--json", action="store_true", help="print one JSON document instead of a transcript")
    demo.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help="auto: on a terminal without NO_COLOR"
    )
    add_parsers(commands)
    return parser


def _demo(options: argparse.Namespace) -> int:
    from .demo import run_demo

    return run_demo(colour=_colour(options.color), as_json=options.json, serve=options.serve)


def _issuer(options: argparse.Namespace) -> int:
    from .issuer import run_issuer

    return run_issuer(options)


def _colour(choice: str) -> bool:
    if choice != "auto":
        return choice == "always"
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
