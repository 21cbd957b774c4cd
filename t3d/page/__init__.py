"""Pages of results: one list of parts, written as Markdown and as an HTML file that needs nothing beside it."""
