"""The controllers' side: owner, member, sequencer, and the client that pumps them."""
