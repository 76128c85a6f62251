"""The emulated accessory: a model, and the engine that judges what reaches it."""
