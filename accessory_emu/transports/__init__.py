"""How parcels travel."""
