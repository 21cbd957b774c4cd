"""Bundles as packages: one zip each that runs anywhere, and what checks and opens it again."""
