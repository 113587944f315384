"""ONNX → layer graph → program."""
