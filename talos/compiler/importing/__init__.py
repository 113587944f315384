"""A quantized ONNX graph, node by node, into layers and host parts."""
