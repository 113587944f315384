"""The functions and classes that `import talos` offers."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

import talos
from talos.compiler.reading.reference_session import reference_session
from talos.runtime.device import Run, VerilatedDevice
from tests.cli_runner import DIGITS, MODELS

Data = dict[str, NDArray[Any]]


def test_importing_talos_loads_nothing_heavy() -> None:
    heavy = "{'numpy', 'numba', 'onnx', 'onnxruntime', 'pandas', 'typer'} & set(sys.modules)"
    code = f"import sys, talos\nassert not {heavy}, {heavy}\nassert talos.__version__"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=MODELS.parent)


def test_every_public_name_is_there() -> None:
    for name in talos.__all__:
        assert getattr(talos, name) is not None
    assert set(talos.__all__) <= set(dir(talos))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = talos.nothing  # type: ignore[attr-defined]


def test_a_model_in_any_form_gives_the_same_program(data: Data, program: talos.Program, tmp_path: Path) -> None:
    proto = onnx.load(DIGITS)
    for model in (str(DIGITS), DIGITS.read_bytes(), proto):
        again = talos.compile(model, talos.PRESETS["4x4"], calibration={"input": data["calibrate"]})
        assert again.constants == program.constants and again.layers == program.layers
    with pytest.raises(talos.TalosError, match="the model is a int"):
        talos.compile(7)  # type: ignore[arg-type]
    with pytest.raises(talos.TalosError, match="calibration="):
        talos.compile(proto)


def test_a_saved_program_is_the_same(program: talos.Program, tmp_path: Path) -> None:
    program.save(tmp_path / "p.talos")
    assert talos.Program.load(tmp_path / "p.talos") == program


def test_quantize_gives_a_model_for_any_runtime(data: Data, program: talos.Program, tmp_path: Path) -> None:
    quantized = talos.quantize(DIGITS, data["calibrate"])
    assert quantized.save(tmp_path / "int8.onnx") == (tmp_path / "int8.onnx").stat().st_size
    for model in (quantized, tmp_path / "int8.onnx", quantized.model):
        again = talos.compile(model, "4x4")
        assert again.constants == program.constants
    session = reference_session((tmp_path / "int8.onnx").read_bytes())
    expected = np.concatenate([session.run(None, {"input": image[None]})[0] for image in data["x"][:5]])
    np.testing.assert_array_equal(program.run(data["x"][:5])["logits"], expected)
    with pytest.raises(talos.TalosError, match="needs samples"):
        talos.quantize(DIGITS, {})


def test_run_takes_one_image_or_many(data: Data, program: talos.Program) -> None:
    many = program.run(data["x"][:3])
    assert many["logits"].shape == (3, 10) and many.cycles == (talos.simulate(program).cycles,) * 3
    for one in (data["x"][1], data["x"][1:2], {"input": data["x"][1]}):
        np.testing.assert_array_equal(program.run(one)["logits"], many["logits"][1:2])
    slow = program.run(data["x"][0], memory="latency=500")
    assert slow.cycles[0] > many.cycles[0]
    for wrong, message in (
        (data["x"][:1, :, :4], "needs n×1×8×8"),
        (data["x"].astype(np.float64), "convert it"),
        ({"image": data["x"]}, "needs the inputs input; given were image"),
    ):
        with pytest.raises(talos.TalosError, match=message):
            program.run(wrong)
    with pytest.raises(talos.TalosError, match="no backend 'gpu'"):
        program.run(data["x"][0], backend="gpu")  # type: ignore[arg-type]


def test_the_verilog_and_a_device_give_the_same(data: Data, program: talos.Program) -> None:
    expected = program.run(data["x"][:2])
    rtl = program.run(data["x"][:2], backend="verilator")
    np.testing.assert_array_equal(rtl["logits"], expected["logits"])
    assert rtl.cycles == expected.cycles
    device = VerilatedDevice(program.config)
    runs: list[int] = []

    class Counting:
        def run(self, program: talos.Program, tensors: dict[str, NDArray[np.int8]]) -> Run:
            runs.append(len(tensors))
            return device.run(program, tensors)

    np.testing.assert_array_equal(program.run(data["x"][:2], backend=Counting())["logits"], expected["logits"])
    device.close()
    assert runs == [1, 1]


def test_the_session_is_called_as_onnxruntimes(data: Data, program: talos.Program, tmp_path: Path) -> None:
    talos.quantize(DIGITS, data["calibrate"]).save(tmp_path / "int8.onnx")
    real = onnxruntime.InferenceSession(tmp_path / "int8.onnx", providers=["CPUExecutionProvider"])
    ours = talos.InferenceSession(tmp_path / "int8.onnx", providers=["CPUExecutionProvider"], config="4x4")
    for mine, theirs in zip(ours.get_inputs() + ours.get_outputs(), real.get_inputs() + real.get_outputs(), strict=True):
        assert (mine.name, mine.type, mine.shape[1:]) == (theirs.name, theirs.type, theirs.shape[1:])
    feeds = {ours.get_inputs()[0].name: data["x"][:4]}
    (logits,) = ours.run(None, feeds)
    assert [type(value) for value in ours.run(["logits"], feeds)] == [np.ndarray]
    np.testing.assert_array_equal(logits, program.run(data["x"][:4])["logits"])
    assert ours.get_providers() == ["TalosExecutionProvider"]
    with pytest.raises(talos.TalosError, match="no output 'scores'"):
        ours.run(["scores"], feeds)


def test_the_session_knows_what_a_host_part_makes(data: Data, tmp_path: Path) -> None:
    model = onnx.load(DIGITS)
    model.graph.node.append(onnx.helper.make_node("Softmax", ["logits"], ["p"], "softmax", axis=1))
    model.graph.output.append(onnx.helper.make_tensor_value_info("p", onnx.TensorProto.FLOAT, [None, 10]))
    session = talos.InferenceSession(model, config="4x4", calibration=data["calibrate"])
    assert session.program.host
    assert [(output.name, output.shape, output.type) for output in session.get_outputs()] == [
        ("logits", ["batch", 10], "tensor(float)"),
        ("p", ["batch", 10], "tensor(float)"),
    ]
    logits, shares = session.run(None, {"input": data["x"][:3]})
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    assert (shares.argmax(axis=1) == logits.argmax(axis=1)).all()
