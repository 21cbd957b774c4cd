"""The training loop: steps, state to go on from, hand-over of what was trained, pictures on the way."""
