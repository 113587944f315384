"""Talos: a systolic-array CNN accelerator, its exact models and its ONNX compiler."""

__version__ = "0.1.0"
