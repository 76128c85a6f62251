"""demo: the whole story in one command, no set-up, nothing left behind."""

from accessory_emu.cli.options import Common, takes


@takes(Common)
def demo(options: Common) -> int:
    """Show the whole story in one command: no set-up, nothing left behind."""
    from accessory_emu.cli.story import play

    return play(options)
