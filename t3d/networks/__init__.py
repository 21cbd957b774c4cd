"""Networks: the vision encoder, the text encoder, the text-informed encoder and the pre-training network."""
