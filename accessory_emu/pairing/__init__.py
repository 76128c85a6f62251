"""The HAP dialect: Pair-Setup and the setup payload."""
