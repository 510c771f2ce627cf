"""`flashdepth gpu-check`: correctness and speed on this computer's GPU, one JSON line a result."""
