"""The class that ONNX's backend API asks for."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper
from onnx.backend.base import Backend, Device, DeviceType

from talos.backend.bind import named_inputs
from talos.backend.rep import TalosRep
from talos.compiler.reading.load import lower_opset
from talos.config import AcceleratorConfig, load_config
from talos.errors import TalosError

__all__ = ["TalosBackend"]

DEFAULT_CONFIG = "8x8"


class TalosBackend(Backend):
    """ONNX models on Talos: compiled for the accelerator, run on its functional model, with host parts in onnxruntime.

    - A **float model** is quantized with the inputs of its first run as calibration samples, so its results have the error of int8
      quantization (`TalosRep.error_bounds` says how much that can be). A quantized model gives onnxruntime's integers.
    - **Graph inputs where the accelerator needs constants** (weights, scales, zero points, pads, shapes: see `talos.backend.bind`) are
      bound to their values at the first run. A run with other values compiles, and calibrates, again.
    - A **batch** of n images runs image by image, if its images do not depend on each other.

    Options of `prepare`, `run_model` and `run_node`: `config`, an `AcceleratorConfig`, or the name of a preset or file (default 8x8);
    `host`, whether nodes that the accelerator cannot run may run on the host (default true). Errors are raised as TalosError.
    """

    @classmethod
    def is_compatible(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> bool:
        """Whether the device is there. Whether the model can be compiled is known at its first run, which has the constants."""
        return cls.supports_device(device)

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> TalosRep:
        """Check `model` and return what runs it. It is compiled at the first run. Raises TalosError."""
        if not cls.supports_device(device):
            raise TalosError(f"device '{device}' is not supported; use 'CPU', on which Talos's functional model runs")
        try:
            onnx.checker.check_model(model)
        except onnx.checker.ValidationError as error:
            raise TalosError(f"not a valid ONNX model ({str(error).splitlines()[0]}); export it again") from error
        config = kwargs.pop("config", DEFAULT_CONFIG)
        host = bool(kwargs.pop("host", True))
        model = lower_opset(model, model.graph.name)
        return TalosRep(model, config if isinstance(config, AcceleratorConfig) else load_config(config), host=host)

    @classmethod
    def run_model(cls, model: onnx.ModelProto, inputs: Any, device: str = "CPU", **kwargs: Any) -> tuple[Any, ...]:
        """Run `model` once. `inputs`: a list in the order of the graph's inputs, a dictionary by name, or a single array."""
        return cls.prepare(model, device, **kwargs).run(inputs)

    @classmethod
    def run_node(
        cls,
        node: onnx.NodeProto,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Sequence[tuple[np.dtype[Any], tuple[int, ...]]] | None = None,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """Run a single node of opset `opset_version` (default: the newest that ONNX knows).

        `outputs_info`, types and shapes of the outputs, is not needed: ONNX infers them.
        """
        version = kwargs.pop("opset_version", onnx.defs.onnx_opset_version())
        arrays = named_inputs([name for name in dict.fromkeys(node.input) if name], inputs)
        values = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in arrays.items()
        ]
        outputs = [onnx.ValueInfoProto(name=name) for name in node.output if name]
        graph = helper.make_graph([node], node.op_type, values, outputs)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid(node.domain, version)])
        try:
            inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        except onnx.shape_inference.InferenceError as error:
            raise TalosError(f"node '{node.name or node.op_type}': {str(error).splitlines()[0]}; check its inputs") from error
        return cls.run_model(inferred, arrays, device, **kwargs)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Only the CPU: the functional model runs on it."""
        try:
            return bool(Device(device).type == DeviceType.CPU)
        except AttributeError:  # what ONNX raises for a device that it does not know
            return False
