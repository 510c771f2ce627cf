"""
What runs the network of the node tests: PyTorch, or an engine for an exported model without it.

The variable FLASHDEPTH_TEST_MODEL names the exported model, which `python -m
support.exported_models FILE` writes, and FLASHDEPTH_TEST_ENGINE what runs it.
"""

import os

PRESET = 'flashdepth-tiny-s'
"""The preset of the exported model."""
MODEL = os.environ.get('FLASHDEPTH_TEST_MODEL', '')
ENGINE = os.environ.get('FLASHDEPTH_TEST_ENGINE', 'onnxruntime') if MODEL else 'torch'
