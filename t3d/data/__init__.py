"""Datalists and their checks, sampling, report features and the phantom cohort."""
