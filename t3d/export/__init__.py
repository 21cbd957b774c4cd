"""Trained networks for other runtimes: ONNX."""
