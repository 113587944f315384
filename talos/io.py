"""How the host turns ONNX values into accelerator tensors and back, one image at a time or in batches."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from talos.errors import TalosError
from talos.numerics import dequantize, quantize

__all__ = ["InputSpec", "IoSpec"]

_ARRAY_DTYPES = ("float32", "int8", "uint8")


@dataclass(frozen=True)
class InputSpec:
    """An input of the ONNX graph: what the user feeds for one image. `dtype` is NumPy's name; a batch dimension is 1 in `shape`."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def batched(self) -> bool:
        """Whether the first dimension is that of the batch."""
        return self.shape[:1] == (1,)

    def require(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """`array` with its batch dimension, which may be left out. Raises TalosError on another shape or type."""
        if self.batched and array.shape == self.shape[1:]:
            array = array[np.newaxis]
        if array.shape != self.shape:
            raise TalosError(f"'{self.name}': shape {_shape(array.shape)}, but the model needs {_shape(self.shape)}; reshape it")
        if array.dtype != self.dtype:
            raise TalosError(f"'{self.name}': type {array.dtype}, but the model needs {self.dtype}; convert it (astype)")
        return array


@dataclass(frozen=True)
class IoSpec:
    """One accelerator input or output and the ONNX value it stands for.

    The tensor is int8, (height, width, channels) without padding; the batch dimension is 1 in `onnx_shape`. The bytes are those of
    `onnx_value.reshape(view_shape).transpose(permutation).reshape(tensor_shape)`: any mixture of NCHW, NHWC, flattening and
    unit dimensions is of that form. An ONNX value of type float32 is quantized with `scale` and `zero_point` (an int8 code; for
    `unsigned` values the ONNX code is 128 higher); an int8 or uint8 value is copied, uint8 with its top bit inverted.
    """

    name: str
    onnx_shape: tuple[int, ...]
    onnx_dtype: str
    view_shape: tuple[int, ...]
    permutation: tuple[int, ...]
    tensor_shape: tuple[int, int, int]
    scale: float
    zero_point: int
    unsigned: bool = False

    def __post_init__(self) -> None:
        sizes = {int(np.prod(shape)) for shape in (self.onnx_shape, self.view_shape, self.tensor_shape)}
        if (
            self.onnx_dtype not in _ARRAY_DTYPES
            or len(sizes) != 1
            or sorted(self.permutation) != list(range(len(self.view_shape)))
        ):
            raise TalosError(f"description of '{self.name}' is inconsistent: {self!r}; compile the model again")

    @property
    def quantized(self) -> bool:
        """The ONNX value holds integer codes; nothing is left to quantize."""
        return self.onnx_dtype != "float32"

    def to_tensor(self, array: npt.NDArray[Any]) -> npt.NDArray[np.int8]:
        """One ONNX value (`onnx_shape`, or without its batch dimension) → codes, int8 (height, width, channels).

        Raises TalosError on another shape or type.
        """
        if self.onnx_shape[:1] == (1,) and array.shape == self.onnx_shape[1:]:
            array = array[np.newaxis]
        if array.shape != self.onnx_shape:
            raise TalosError(
                f"'{self.name}': shape {_shape(array.shape)}, but the model needs {_shape(self.onnx_shape)}; reshape it"
            )
        codes: npt.NDArray[np.int8] = self.to_tensors(array)[0]
        return codes

    def to_tensors(self, array: npt.NDArray[Any]) -> npt.NDArray[np.int8]:
        """A batch, (n, *onnx_shape[1:]) → codes, int8 (n, height, width, channels). Raises TalosError on another shape or type.

        If `onnx_shape` begins with no batch dimension of 1 but with k, the batch is (n·k, *onnx_shape[1:]).
        """
        if array.shape[1:] != self.onnx_shape[1:] or array.ndim != len(self.onnx_shape):
            raise TalosError(
                f"'{self.name}': shape {_shape(array.shape)}, but the model needs {_shape(('n', *self.onnx_shape[1:]))}; reshape it"
            )
        if array.dtype != self.onnx_dtype:
            raise TalosError(f"'{self.name}': type {array.dtype}, but the model needs {self.onnx_dtype}; convert it (astype)")
        if not self.quantized:
            array = quantize(array, np.float32(self.scale), self.zero_point + 128 * self.unsigned, unsigned=self.unsigned)
        if self.unsigned:
            array = (array ^ np.uint8(0x80)).view(np.int8)
        count = len(array) // self.onnx_shape[0]
        order = (0, *(1 + axis for axis in self.permutation))
        codes: npt.NDArray[np.int8] = array.reshape(count, *self.view_shape).transpose(order).reshape(count, *self.tensor_shape)
        return np.ascontiguousarray(codes)

    def from_tensor(self, codes: npt.NDArray[np.int8]) -> npt.NDArray[Any]:
        """Codes, int8 (height, width, channels) → the ONNX value, `onnx_shape` and `onnx_dtype`. Raises TalosError on another shape."""
        return self.from_tensors(codes[np.newaxis]).reshape(self.onnx_shape)

    def from_tensors(self, codes: npt.NDArray[np.int8]) -> npt.NDArray[Any]:
        """A batch of codes, int8 (n, height, width, channels) → (n, *onnx_shape[1:]) (see `to_tensors`).

        Raises TalosError on another shape or type.
        """
        if codes.shape[1:] != self.tensor_shape or codes.dtype != np.int8:
            raise TalosError(
                f"'{self.name}': tensor is {codes.dtype} {_shape(codes.shape[1:])}, not int8 {_shape(self.tensor_shape)}; "
                "pass the tensor that the program produced"
            )
        count = len(codes)
        split = tuple(self.view_shape[axis] for axis in self.permutation)
        inverse = (0, *(1 + int(axis) for axis in np.argsort(self.permutation)))
        array: npt.NDArray[Any] = codes.reshape(count, *split).transpose(inverse).reshape(-1, *self.onnx_shape[1:])
        if self.unsigned:
            array = array.view(np.uint8) ^ np.uint8(0x80)
        if self.quantized:
            return np.ascontiguousarray(array)
        return dequantize(array, np.float32(self.scale), self.zero_point + 128 * self.unsigned)

    def to_json(self) -> dict[str, Any]:
        """Plain lists, numbers and strings; `from_json` restores it exactly (float32 scales are exact as JSON doubles)."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "IoSpec":
        """The inverse of `to_json`. Raises TalosError when keys are missing or unknown."""
        values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
        try:
            return cls(**values)
        except TypeError as error:
            raise TalosError(
                f"description of input or output {data.get('name')!r} is damaged ({error}); compile again"
            ) from error


def _shape(shape: tuple[Any, ...]) -> str:
    return "×".join(str(size) for size in shape) or "scalar"
