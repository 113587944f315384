"""ONNX files in: what can be compiled at all, brought to one form."""
