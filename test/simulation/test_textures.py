import numpy as np
import pytest

from flashdepth_ros.simulation.patterns import noise
from flashdepth_ros.simulation.surfaces import TILE_M
from flashdepth_ros.simulation.textures import FAMILIES, VARIANTS, texture


@pytest.mark.parametrize('family', FAMILIES)
def test_textures_are_seamless_and_repeatable(family: str) -> None:
    assert family in TILE_M
    for variant in range(VARIANTS):
        image = texture(family, variant)
        texture.cache_clear()
        np.testing.assert_array_equal(image, texture(family, variant))
        assert 20 < image.mean() < 250
    assert (texture(family, 0) != texture(family, 1)).any()


def test_noise_is_seamless() -> None:
    field = noise(np.random.default_rng(0), 1.5)
    inner = np.abs(np.diff(field, axis=0)).mean()
    assert np.abs(field[0] - field[-1]).mean() < 1.5 * inner
    assert field.std() == pytest.approx(1.0, abs=1e-3)
