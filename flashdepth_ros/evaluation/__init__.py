"""Evaluation of predicted depth against ground truth in recordings, and its report."""
