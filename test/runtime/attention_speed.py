"""
The cost of streaming with temporal attention, beside the network of single frames.

    python test/runtime/attention_speed.py [--size 518x518] [--rounds 7]

Both networks run a frame by turns, in eager float32. Printed are medians: of a frame of each, of
the temporal modules within the frame, and the ratio of the whole to the sum of its parts.
"""

import argparse
import statistics
import sys
import time

import torch

from flashdepth_ros.network import create_model
from flashdepth_ros.network.temporal_attention import TemporalModule
from flashdepth_ros.runtime.benchmark import parse_size

SINGLE, VIDEO = 'depth-anything-v2-s', 'video-depth-anything-s'


class Timer:
    """Adds up the time of the calls of a method."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def wrap(self, method):
        def timed(*arguments):
            start_s = time.perf_counter()
            result = method(*arguments)
            self.seconds += time.perf_counter() - start_s
            return result

        return timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n\n')[0])
    parser.add_argument('--size', default='518x518', metavar='WxH')
    parser.add_argument('--rounds', type=int, default=7)
    arguments = parser.parse_args()
    width, height = parse_size(arguments.size)
    frames = torch.randn(1, 1, 3, height, width, generator=torch.Generator().manual_seed(0))
    single, video, timer = create_model(SINGLE), create_model(VIDEO), Timer()
    TemporalModule.align = timer.wrap(TemporalModule.align)
    state = video.check_inputs(frames, None)
    times_ms: dict[str, list[float]] = {SINGLE: [], VIDEO: [], 'temporal modules': []}
    with torch.inference_mode():
        for _ in range(arguments.rounds + 2):
            start_s = time.perf_counter()
            single(frames)
            middle_s, timer.seconds = time.perf_counter(), 0.0
            _, entries = video.step(frames, state)
            state = state.after(entries, reuse=True)
            times = middle_s - start_s, time.perf_counter() - middle_s, timer.seconds
            for values, seconds in zip(times_ms.values(), times, strict=True):
                values.append(1e3 * seconds)
    medians = {name: statistics.median(values[2:]) for name, values in times_ms.items()}
    for name, median in medians.items():
        sys.stdout.write(f'{name:24} {median:8.1f} ms\n')
    whole = medians[VIDEO] / (medians[SINGLE] + medians['temporal modules'])
    sys.stdout.write(f'streaming / (single + temporal modules) {whole:.2f}\n')
    sys.stdout.write(f'memory of the state {state.memory_bytes() / 1e6:.0f} MB\n')


if __name__ == '__main__':
    main()
