"""Folders of still images with true depth and calibrations: find and read them."""
