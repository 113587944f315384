"""Float models to quantized ones, with onnxruntime's calibration."""
