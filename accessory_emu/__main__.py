"""The console script: answers --version at once, everything else through cli/app."""

import sys

from accessory_emu.cli.version import VERSION_LINE


def main() -> None:
    """Run the command line, and end the process with its exit code."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(VERSION_LINE + "\n")
        return
    from accessory_emu.cli.app import run  # noqa: PLC0415 - --version answers before typer is loaded

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
