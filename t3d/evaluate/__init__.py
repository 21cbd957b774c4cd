"""What is measured on held-out cases, and the files that say it."""
