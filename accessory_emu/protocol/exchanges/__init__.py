"""Both halves of every exchange, one file each."""
