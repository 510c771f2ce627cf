import numpy as np
import pytest

from flashdepth_ros.cli import main
from flashdepth_ros.simulation.clip import ClipSettings, plan_clip
from flashdepth_ros.simulation.variety import Variety
from flashdepth_ros.training.augmentation import crop_and_resize
from flashdepth_ros.training.clips import find_clips

pytestmark = pytest.mark.usefixtures('gl')


def test_clips_contain_the_frames_of_the_simulator(tmp_path):
    arguments = ['film', str(tmp_path), '--seeds', '8:10', '--frames', '3', '--size', '84x56']
    assert main(arguments) == 0
    (clip, _) = found = find_clips(tmp_path)
    assert [each.length for each in found] == [3, 3]
    settings = ClipSettings(
        width=84, height=56, frames=3, rate_hz=10.0, supersampling=2, shadow_share=0.25
    )
    expected = list(plan_clip(8, settings).frames())
    window = clip.read([0, 1, 2])
    inverse_depth = np.stack([1.0 / frame.depth for frame in expected])
    error = np.abs(np.asarray(window.inverse_depth) - inverse_depth)
    assert error.max() < 1e-3 * inverse_depth.max()
    colour = np.abs(np.asarray(window.rgb, float) - np.stack([frame.rgb for frame in expected]))
    assert colour.mean() < 6
    assert clip.camera().stamps_ns == [frame.stamp_ns for frame in expected]
    written_ns = clip.path.stat().st_mtime_ns
    assert main(arguments) == 0
    assert clip.path.stat().st_mtime_ns == written_ns


def test_copies_are_the_same_clips_at_another_size(tmp_path):
    large, small = tmp_path / 'large', tmp_path / 'small'
    arguments = ['film', str(large), '--seeds', '8:9', '--frames', '2', '--size', '84x56']
    assert main(arguments) == 0
    assert main([*arguments, '--copies', f'28x28:{small}']) == 0
    (original,), (copy,) = find_clips(large), find_clips(small)
    expected = crop_and_resize(original.read([0, 1]), (28, 28))
    window, camera = copy.read([0, 1]), copy.camera()
    step = expected.inverse_depth.max() / 65534
    np.testing.assert_allclose(window.inverse_depth, expected.inverse_depth, atol=0.51 * step)
    assert np.abs(window.rgb.astype(int) - expected.rgb).mean() < 6
    focal = original.camera().intrinsics[0] / 2
    assert camera.intrinsics == pytest.approx((focal, focal, 13.5, 13.5))
    assert camera.stamps_ns == original.camera().stamps_ns
    np.testing.assert_array_equal(camera.poses, original.camera().poses)


def test_each_clip_can_have_its_own_scene(tmp_path):
    arguments = ['film', str(tmp_path), '--seeds', '8:9', '--frames', '1', '--size', '28x28']
    assert main([*arguments, '--clips-per-scene', '1']) == 0
    (clip,) = find_clips(tmp_path)
    settings = ClipSettings(
        width=28, height=28, frames=1, rate_hz=10.0, shadow_share=0.25, clips_per_scene=1
    )
    (frame,) = plan_clip(8, settings).frames()
    np.testing.assert_allclose(clip.read([0]).inverse_depth[0], 1.0 / frame.depth, atol=1e-3)


@pytest.mark.parametrize(
    ('option', 'value', 'message'),
    [
        ('clips-per-scene', '0', '0 given, at least 1 expected'),
        ('frames', '0', '0 given, at least 1 expected'),
        ('rate', '-2', '-2 given, above 0 expected'),
        ('rate', 'nan', 'nan given, above 0 expected'),
        ('sampling', '0', '0 given, at least 1 and at most 16 expected'),
        ('shadows', '2', '2 given, at least 0 and at most 1 expected'),
        ('variety', '1.5', '1.5 given, at least 0 and at most 1 expected'),
        ('seeds', '5:2', '5:2 given, A:B with A below B expected'),
        ('size', '0x28', '0x28 given, sides of at least 2'),
        ('copies', '28x28', '28x28 given, WxH:FOLDER expected'),
        ('copies', '28x0:c', '28x0 given, sides of at least 2'),
    ],
)
def test_values_out_of_their_range_are_refused(tmp_path, capsys, option, value, message):
    assert main(['film', str(tmp_path / 'clips'), f'--{option}={value}']) == 1
    assert f'--{option} {message}' in capsys.readouterr().err
    assert not (tmp_path / 'clips').exists()


def test_an_output_that_is_a_file_is_named(tmp_path, capsys):
    (tmp_path / 'clips').touch()
    for folder in (tmp_path / 'clips', tmp_path / 'clips' / 'below'):
        assert main(['film', str(folder), '--seeds', '0:1']) == 1
        error = capsys.readouterr().err
        assert f'output {folder}: ' in error
        assert 'FileExistsError' not in error
        assert 'Errno' not in error


def test_invalid_seeds_are_refused(tmp_path, capsys):
    assert main(['film', str(tmp_path), '--seeds', 'all']) == 1
    assert "two numbers with ':'" in capsys.readouterr().err


def test_varied_scenes_are_filmed(tmp_path):
    arguments = ['film', str(tmp_path), '--seeds', '0:2', '--frames', '1', '--size', '56x42']
    assert main([*arguments, '--variety', '1', '--clips-per-scene', '2']) == 0
    settings = ClipSettings(
        width=56, height=42, frames=1, clips_per_scene=2, shadow_share=0.25, variety=Variety(1.0)
    )
    (frame,) = plan_clip(0, settings).frames()
    clip = find_clips(tmp_path)[0]
    np.testing.assert_allclose(clip.read([0]).inverse_depth[0], 1.0 / frame.depth, atol=1e-3)


@pytest.mark.parametrize('arguments', [('--textures', 'missing')])
def test_no_clip_at_all_is_a_failure(tmp_path, arguments):
    options = ('--size', '42x28', '--frames', '1', '--seeds', '0:1', '--variety', '1')
    assert main(['film', str(tmp_path / 'clips'), *options, *arguments]) == 1
    assert not find_clips(tmp_path / 'clips')
