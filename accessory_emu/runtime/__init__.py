"""Where the accessory meets transport and store."""
