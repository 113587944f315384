"""Talos as a backend of ONNX (`onnx.backend.base`): ONNX models run on the functional model of the accelerator.

    import talos.backend as backend

    outputs = backend.prepare(model).run([x])

See `TalosBackend` for what happens to float models, weights fed as inputs, and batches.
"""

from talos.backend.backend import TalosBackend
from talos.backend.rep import TalosRep

__all__ = ["TalosBackend", "TalosRep", "is_compatible", "prepare", "run_model", "run_node", "supports_device"]

is_compatible = TalosBackend.is_compatible
prepare = TalosBackend.prepare
run_model = TalosBackend.run_model
run_node = TalosBackend.run_node
supports_device = TalosBackend.supports_device
