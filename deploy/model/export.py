"""Export: a trained network as a quantised ONNX model that answers two probabilities.

Needs the optional packages of ``pip install -e '.[model]'``; only training imports it.
"""

import copy
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from PIL import Image
from torch import nn

from deploy.model.code.inference import prepare
from deploy.model.network import MEAN, SCALE

_OPSET = 17
# Rounded to 8 bits, the head would no longer make probabilities that sum to 1.
_FLOAT_OPERATORS = frozenset({"Gemm", "MatMul", "Softmax"})


class _Calibration(CalibrationDataReader):  # type: ignore[misc] # the package is untyped
    def __init__(self, images: NDArray[np.uint8], size: int) -> None:
        self._inputs = (prepare(Image.fromarray(image), size, MEAN, SCALE) for image in images)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        pixels = next(self._inputs, None)
        return None if pixels is None else {"image": pixels}


def export_onnx(
    network: nn.Sequential,
    temperature: float,
    size: int,
    calibration: NDArray[np.uint8],
    target: Path,
) -> None:
    """Write the network as int8 ONNX: ``image`` (1, 3, size, size) to ``probabilities``.

    Those are of shape (1, classes).

    Args:
        network: As ``build_network`` made it, trained.
        temperature: Divides the logits.
        size: Pixels a side of its input.
        calibration: ``uint8`` images (n, 32, 32, 3) from which the ranges of activations are taken.
        target: File to write.
    """
    with tempfile.TemporaryDirectory() as folder:
        whole, simplified = Path(folder) / "whole.onnx", Path(folder) / "simplified.onnx"
        torch.onnx.export(
            _with_probabilities(network, temperature),
            (torch.zeros(1, 3, size, size),),
            str(whole),
            input_names=["image"],
            output_names=["probabilities"],
            opset_version=_OPSET,
            dynamo=False,
        )
        quant_pre_process(str(whole), str(simplified), skip_symbolic_shape=True)
        quantize_static(
            str(simplified),
            str(target),
            _Calibration(calibration, size),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            nodes_to_exclude=_float_nodes(simplified),
        )


def _with_probabilities(network: nn.Sequential, temperature: float) -> nn.Sequential:
    *body, head = copy.deepcopy(network).eval()
    # The last output is "neither": a fixed layer shares it evenly between the classes.
    classes = head.out_features - 1
    split = nn.Linear(classes + 1, classes, bias=False)
    with torch.no_grad():
        # Folded into the weights: softmax(logits / T) without an operator of its own.
        head.weight /= temperature
        head.bias /= temperature
        shared = torch.full((classes, 1), 1 / classes)
        split.weight.copy_(torch.cat([torch.eye(classes), shared], 1))
    return nn.Sequential(*body, head, nn.Softmax(1), split).eval()


def _float_nodes(model: Path) -> list[str]:
    nodes = onnx.load(str(model)).graph.node
    return [node.name for node in nodes if node.op_type in _FLOAT_OPERATORS]
