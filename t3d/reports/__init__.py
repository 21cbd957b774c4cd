"""Free-text radiology reports: clean them, find their sections and sentences, turn them into tokens and features."""
