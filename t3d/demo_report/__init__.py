"""The page that a demonstration ends with."""
