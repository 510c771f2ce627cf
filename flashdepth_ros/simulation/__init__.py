"""Simulated video with true depth: `clip.simulate_clip`; only this folder imports mujoco."""
