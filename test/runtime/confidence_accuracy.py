"""
The error of depth by its confidence, on recordings with true depth.

    python test/runtime/confidence_accuracy.py [RECORDING ...] [--short-side PX] [--model NAME]

Printed for each recording are AbsRel of the four quarters of its pixels, from the most to the
least confident, the shares of pixels of some confidence, and the median time of a rating. Without
a recording it is the sample.
"""

import argparse
import statistics
import sys
import time

import cv2
import numpy as np

from flashdepth_ros.bags import BagReader, find_depth_topic
from flashdepth_ros.bags.frames import Frames, estimate_frames
from flashdepth_ros.bags.sample import sample_recording
from flashdepth_ros.messages import read_depth
from flashdepth_ros.runtime import DepthEstimator
from flashdepth_ros.runtime.confidence import ConfidenceRater

FAR_M = 80.0


def rated_errors(recording, estimator, frames=None, skip=10):
    """
    Return confidence and |d - t| / t of the pixels with true depth, and the times of rating, s.

    :param frames: the number of frames that are used; None: all.
    :param skip: the first frames are rated but not compared.
    """
    rater, confidences, errors, times_s = ConfidenceRater(), [], [], []
    with BagReader(recording) as bag:
        truths = true_depth(bag)
        for index, (frame, depth) in enumerate(estimate_frames(Frames(bag), estimator)):
            if index == frames:
                break
            start_s = time.perf_counter()
            confidence = rater.rate(depth.inverse_depth, depth.position)
            times_s.append(time.perf_counter() - start_s)
            if index >= skip and frame.stamp_ns in truths:
                truth = truths[frame.stamp_ns]
                known = (truth > 0) & (truth < FAR_M)
                values = (resized(each, truth.shape)[known] for each in (confidence, depth.depth))
                confident, found = values
                confidences.append(confident)
                errors.append(np.abs(np.minimum(found, FAR_M) - truth[known]) / truth[known])
    return np.concatenate(confidences), np.concatenate(errors), times_s


def true_depth(bag):
    """Return true depth by stamp."""
    messages = (bag.message(record) for record in bag.records(find_depth_topic(bag).name))
    return {
        message.header.stamp.sec * 10**9 + message.header.stamp.nanosec: read_depth(message)
        for message in messages
    }


def resized(values, shape):
    return cv2.resize(values, shape[::-1], interpolation=cv2.INTER_NEAREST)


def errors_by_confidence(confidences, errors, parts):
    """Return AbsRel of equal parts of the pixels, from the most to the least confident."""
    order = np.argsort(-confidences, kind='stable')
    return [float(part.mean()) for part in np.array_split(errors[order], parts)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n\n')[0])
    parser.add_argument('recordings', nargs='*', metavar='RECORDING')
    parser.add_argument('--short-side', type=int, default=0)
    parser.add_argument('--model', default='flashdepth-tiny')
    arguments = parser.parse_args()
    for recording in arguments.recordings or [sample_recording()]:
        estimator = DepthEstimator(arguments.model, short_side=arguments.short_side)
        confidences, errors, times_s = rated_errors(recording, estimator)
        quarters = errors_by_confidence(confidences, errors, 4)
        shares = (f'{np.mean(confidences >= each):.0%} from {each}' for each in (0.3, 0.5))
        accuracy = ' '.join(f'{each:.3f}' for each in quarters)
        time_ms = 1e3 * statistics.median(times_s)
        sys.stdout.write(
            f'{recording}: AbsRel {accuracy}; {", ".join(shares)}; {time_ms:.1f} ms a frame\n'
        )


if __name__ == '__main__':
    main()
