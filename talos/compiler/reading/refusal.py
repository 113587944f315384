"""What the accelerator cannot run, as opposed to a model that is wrong."""

from talos.errors import TalosError

__all__ = ["Refusal"]


class Refusal(TalosError):
    """The ONNX node `node` of type `op` cannot run on the accelerator: `reason`, and the `suggestion` what to do about it.

    The importer catches it and leaves the node to the host. As a TalosError its text is one line with the model's `file`.
    """

    def __init__(self, file: str, node: str, op: str, reason: str, suggestion: str) -> None:
        self.node = node
        self.op = op
        self.reason = reason
        self.suggestion = suggestion
        super().__init__(f"{file}: {self.line}")

    @property
    def line(self) -> str:
        """The text without the file."""
        return f"node '{self.node}' ({self.op}): {self.reason}; {self.suggestion}"
