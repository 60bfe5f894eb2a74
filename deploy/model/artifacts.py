"""Artifacts: where a trained model's files lie and what they are called."""

from pathlib import Path

ARTIFACTS = Path(__file__).parent / "artifacts"
MODEL_FILE = "model.onnx"
MANIFEST_FILE = "manifest.json"
