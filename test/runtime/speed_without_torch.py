"""
Compare the speed of an engine in two environments, with PyTorch and without.

`python test/runtime/speed_without_torch.py FILE.onnx PYTHON PYTHON [ENGINE]` starts each
interpreter, as `.venv/bin/python` and `.venv-onnx/bin/python`, with the exported model, and lets
them process frames by turns. It prints the median time of a frame of each, and the median ratio.
"""

from contextlib import ExitStack
from pathlib import Path
import statistics
import subprocess
import sys
import time

ROOT = Path(__file__).parents[2]
ROUNDS, FRAMES, WARM_UP = 30, 3, 5
HEIGHT, WIDTH = 480, 640


def serve(path: str, engine: str) -> None:
    """Process `FRAMES` frames for each line of the input, and print the mean time of one, ms."""
    import numpy as np

    from flashdepth_ros.runtime import DepthEstimator
    from flashdepth_ros.runtime.engines.exported_model import read_exported

    preset = read_exported(path).config.name
    estimator = DepthEstimator(preset, path, 'cpu', 'fp32', engine)
    images = np.random.default_rng(0).integers(0, 256, (8, HEIGHT, WIDTH, 3), np.uint8)
    index = 0
    for line in sys.stdin:
        start_s = time.perf_counter()
        for _ in range(int(line)):
            estimator.estimate(images[index % len(images)], index * 30_000_000)
            index += 1
        sys.stdout.write(f'{(time.perf_counter() - start_s) / int(line) * 1e3}\n')
        sys.stdout.flush()


def main(path: str, interpreters: list[str], engine: str) -> None:
    """Let both interpreters process frames by turns; print their times."""
    with ExitStack() as stack:
        children = [
            stack.enter_context(
                subprocess.Popen(
                    [python, __file__, path, engine],
                    env={'PYTHONPATH': str(ROOT), 'HOME': str(Path.home())},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for python in interpreters
        ]
        times_ms: list[list[float]] = [[] for _ in children]
        for turn in range(ROUNDS + 1):
            for child, taken_ms in zip(children, times_ms, strict=True):
                assert child.stdin
                assert child.stdout
                child.stdin.write(f'{FRAMES if turn else WARM_UP}\n')
                child.stdin.flush()
                taken_ms.append(float(child.stdout.readline()))
        for child in children:
            assert child.stdin
            child.stdin.close()
    first, second = (each[1:] for each in times_ms)
    for python, taken_ms in zip(interpreters, (first, second), strict=True):
        sys.stdout.write(f'{python}: {statistics.median(taken_ms):.1f} ms\n')
    ratios = [after / before for before, after in zip(first, second, strict=True)]
    sys.stdout.write(f'second to first: {statistics.median(ratios):.3f}\n')


if __name__ == '__main__':
    if len(sys.argv) > 3:
        file, one, other, *engines = sys.argv[1:]
        main(file, [one, other], engines[0] if engines else 'onnxruntime')
    else:
        serve(*sys.argv[1:])
