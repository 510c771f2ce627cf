"""Evaluation of models on folders of still images with true depth."""
