"""The networks that travel with Talos: their data, their training scripts, and the ONNX files these wrote."""

__all__: list[str] = []
