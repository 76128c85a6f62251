"""Emulated accessories that obey only signed commands."""
