"""What a prediction is worth: pure functions of arrays, without files or networks."""
