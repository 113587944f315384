"""onnxruntime with the model whose integers the accelerator must give, set so that its integer kernels are used."""

import contextlib

import onnxruntime

__all__ = ["reason", "reference_session"]

_Level = onnxruntime.GraphOptimizationLevel


def reference_session(model: bytes, *, optimized: bool = True) -> onnxruntime.InferenceSession:
    """A deterministic session for a serialized model, with int8 activations fused as uint8 ones are.

    Some valid models are spoiled by onnxruntime's own optimizations (its integer AveragePool takes no dilations): those are loaded as
    they are, as all are without `optimized`. Raises what onnxruntime raises for a model that it cannot load; its exceptions share no base
    class.
    """
    if optimized:
        with contextlib.suppress(Exception):
            return _session(model, _Level.ORT_ENABLE_ALL)
    return _session(model, _Level.ORT_DISABLE_ALL)


def _session(model: bytes, level: onnxruntime.GraphOptimizationLevel) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    options.graph_optimization_level = level
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # whoever catches the error tells it
    # That pass merges two quantizations in a row into one with a third scale, which is another network.
    disabled = ["DoubleQDQPairsRemover"]
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"], disabled_optimizers=disabled)


def reason(error: Exception) -> str:
    """onnxruntime's message in one line, without its code and name in front."""
    text = " ".join(str(error).split())
    head, found, rest = text.partition("[ONNXRuntimeError] : ")
    return rest.split(" : ", 2)[-1] if found and not head else text
