"""Losses of the two text-informed tasks and of the global alignment, one idea per file."""
