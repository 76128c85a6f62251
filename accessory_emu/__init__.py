"""Emulated accessories that obey only signed commands."""

from accessory_emu.accessory.catalogue import TYPES, build
from accessory_emu.accessory.device import DeviceConfig, Supplies
from accessory_emu.accessory.engine import AccessoryEngine

__all__ = ["TYPES", "AccessoryEngine", "DeviceConfig", "Supplies", "build"]
