"""The state of streams after a frame, of any network."""

from flashdepth_ros.network.temporal import StreamState
from flashdepth_ros.network.temporal_attention import AttentionState

State = StreamState | AttentionState
"""What a network returns with the depth of a frame, and takes with the next one."""
