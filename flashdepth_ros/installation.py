"""How to install a Python package that is missing."""

from __future__ import annotations

EXTRAS = {
    'rosbags': 'bags',
    'mcap': 'bags',
    'lz4': 'bags',
    'zstandard': 'bags',
    'jinja2': 'evaluation',
    'markupsafe': 'evaluation',
    'matplotlib': 'evaluation',
    'mujoco': 'simulation',
    'h5py': 'training',
    'OpenEXR': 'training',
    'tensorboard': 'training',
    'torch': 'torch',
    'safetensors': 'torch',
    'openvino': 'openvino',
    'onnxruntime': 'onnx',
    'onnx': 'export',
    'onnxscript': 'export',
    'nncf': 'int8',
}
"""The extra of `setup.py` that installs a package, by the name under which it is imported."""
_DISTRIBUTIONS = {'cv2': 'opencv-python-headless', 'yaml': 'pyyaml', 'OpenEXR': 'openexr'}
_ROS = ('rclpy', 'ament_index_python', 'launch', 'launch_ros')
_ROS_MESSAGES = ('_msgs', '_srvs', '_interfaces')


def missing_package(error: ImportError) -> str | None:
    """Return what is missing and how to install it; None if the error has another cause."""
    package = (error.name or '').partition('.')[0]
    if package in ('', 'flashdepth_ros'):
        return None
    reason = ' '.join(str(error).split())
    return f'cannot import the Python package {package!r} ({reason}); {_instruction(package)}'


def _instruction(package: str) -> str:
    if package in _ROS or package.endswith(_ROS_MESSAGES):
        return (
            'it belongs to ROS 2: source its setup.bash and use its Python; without ROS, in a '
            "checkout: pip install '.[jazzy]'"
        )
    distribution = _DISTRIBUTIONS.get(package, package)
    extra = f"'.[{EXTRAS[package]}]'" if package in EXTRAS else '.'
    return f'in a checkout: pip install {extra}; in a workspace: pip install {distribution}'
