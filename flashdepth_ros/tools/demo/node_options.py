"""The command line of the demo's depth node."""

from __future__ import annotations

from dataclasses import dataclass

from flashdepth_ros.bags.topics import DepthInputs
from flashdepth_ros.runtime.engines.exported_model import purpose_of
from flashdepth_ros.tools.demo.recorder import COLOR_TOPIC, DEPTH_TOPIC, TIMING_TOPIC

RECORDED_TOPICS = (DEPTH_TOPIC, COLOR_TOPIC, TIMING_TOPIC)


@dataclass(frozen=True)
class NodeOptions:
    """The parameters that the demo passes to the depth node."""

    model: str
    weights: str
    device: str
    short_side: int

    @property
    def purpose(self) -> str:
        """Return what the weights are for; '': no limits, or not known."""
        return purpose_of(self.model, self.weights)

    def arguments(self, inputs: DepthInputs) -> list[str]:
        """Return the node's command line, with remaps to the topics of the recording."""
        parameters = {
            'model': self.model,
            'weights': self.weights,
            'device': self.device,
            'inference.short_side': self.short_side,
            'image_transport': inputs.transport,
            # One cloud is recorded, for viewing: dense, and without points between surfaces.
            'points.stride': 2,
            'points.edge_threshold': 0.1,
            # A longer history, because the recorder may request lost messages late on a busy CPU.
            **{f'qos_overrides.{topic}.publisher.depth': 30 for topic in RECORDED_TOPICS},
        }
        image = 'image/compressed' if inputs.transport == 'compressed' else 'image'
        arguments = ['--ros-args']
        for name, value in parameters.items():
            arguments += ['-p', f'{name}:={value}'] if value != '' else []
        for name, topic in zip((image, 'camera_info'), inputs.names.values(), strict=False):
            arguments += ['-r', f'{name}:={topic}']
        return arguments
