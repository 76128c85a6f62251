"""The version line, without importing anything."""

from typing import Final

VERSION: Final = "0.1.0"
VERSION_LINE: Final = f"accessory-emu {VERSION} (protocol 1)"
