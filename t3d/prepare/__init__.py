"""The prepared store: every volume once on its target grid, compressed in chunks, read box by box."""
