"""Free-text radiology reports: clean them, find their sections and sentences, and count what is left out."""
