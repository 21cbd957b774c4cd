"""Trained networks for other runtimes: torch.export programs and ONNX."""
