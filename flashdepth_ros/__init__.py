"""Temporally consistent metric depth from a single camera, in real time, for robots."""

__version__ = '0.1.0'
