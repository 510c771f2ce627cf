"""Depth from one camera, for robots, in real time, steady over time."""

__version__ = '0.1.0'
