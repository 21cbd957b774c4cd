"""Datalists and their checks, findings, sampling: which cases, and in what order."""
