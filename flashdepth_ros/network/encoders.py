"""Build the encoder of a configuration."""

from flashdepth_ros.network.config import LEVELS, ConvolutionalEncoderConfig, EncoderConfig
from flashdepth_ros.network.convolutional_encoder import ConvolutionalEncoder
from flashdepth_ros.network.encoder import Encoder


def build_encoder(
    config: EncoderConfig | ConvolutionalEncoderConfig, levels: tuple[int, ...] = LEVELS
) -> Encoder | ConvolutionalEncoder:
    """
    Build an encoder with random weights; what no level needs is not built.

    :param levels: decoder levels whose maps it returns, from the fine to the coarse level.
    """
    if isinstance(config, ConvolutionalEncoderConfig):
        return ConvolutionalEncoder(config, sorted(levels))
    return Encoder(config, tuple(config.taps[level - 1] for level in sorted(levels)))
