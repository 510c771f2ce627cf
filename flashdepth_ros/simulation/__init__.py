"""Simulated video with true depth (`clip.simulate_clip`); the only package that uses mujoco."""
