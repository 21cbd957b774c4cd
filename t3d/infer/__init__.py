"""Cases one by one: predictions, features, maps and text embeddings, and what is left of a run that stopped."""
