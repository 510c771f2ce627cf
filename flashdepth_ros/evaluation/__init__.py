"""Predictions against truth, on recordings: pairs, alignments, scores, and the report."""
