"""Takes the place of PyTorch on the path of a process that is to run without it."""

raise ModuleNotFoundError("No module named 'torch'", name='torch')
