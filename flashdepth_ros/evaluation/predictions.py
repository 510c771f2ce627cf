"""Predicted inverse depth of a candidate for every pair of a bag, on disk, and the latencies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple
from functools import partial
from pathlib import Path
import sys

import numpy as np
from tqdm import tqdm

from flashdepth_ros.bags import BagReader, Frames, estimate_frames, find_depth_topic
from flashdepth_ros.camera.geometry import Float32, invert
from flashdepth_ros.camera.sampling import resample, subsample
from flashdepth_ros.errors import BagError, FlashDepthError, InputError
from flashdepth_ros.evaluation.candidates import RecordedCandidate
from flashdepth_ros.evaluation.damage import header_stamps
from flashdepth_ros.evaluation.map_file import MapFile
from flashdepth_ros.evaluation.paired_bag import PairedBag
from flashdepth_ros.evaluation.pairing import pair_stamps
from flashdepth_ros.evaluation.protocol import Protocol
from flashdepth_ros.evaluation.results import CandidateResult, FrameResult
from flashdepth_ros.messages import read_depth
from flashdepth_ros.runtime import DepthEstimator

Predictions = Iterator[tuple[FrameResult, Float32]]


def store_predictions(
    predictions: Predictions, paired: PairedBag, maps: MapFile, result: CandidateResult
) -> None:
    """
    Store the predictions that have ground truth, at its pixels, and record every frame.

    If an error ends the predictions early, the result has the error and the frames before it.
    """
    index = paired.index()
    try:
        for frame, inverse_depth in predictions:
            number = index.get(frame.stamp_ns, -1)
            if number in paired.truth_maps and number not in maps:
                full = resample(inverse_depth, paired.ground_truth.full_shape)
                maps[number] = subsample(full, paired.ground_truth.stride)
                frame.truth_ns = paired.pairs[number].truth_ns
            result.frames.append(frame)
    except FlashDepthError as error:
        result.failure = f'stopped after {len(result.frames)} frames: {error}'


def predict(
    estimator: DepthEstimator, paired: PairedBag, progress: bool, result: CandidateResult
) -> Predictions:
    """
    Yield a model's inverse depth of every frame of the bag, starting a new sequence.

    :raises BagError: the recording is damaged; raised at the damage.
    """
    estimator.warm_up(*paired.view.shape)
    estimator.reset()
    topics = paired.frames
    frames = Frames(
        topics.bag,
        topics.image.name,
        topics.camera_info.name if topics.camera_info else '',
        warn=partial(tqdm.write, file=sys.stderr),
    )
    estimates = tqdm(
        estimate_frames(frames, estimator),
        desc=f'{paired.path.name}: {result.label}',
        total=len(frames),
        unit='frame',
        disable=not progress,
    )
    for frame, depth in estimates:
        yield FrameResult(frame.stamp_ns, stages_ms=astuple(depth.times)), depth.inverse_depth
        result.skipped = frames.skipped


def read_predictions(
    candidate: RecordedCandidate, paired: PairedBag, protocol: Protocol
) -> Predictions:
    """
    Yield the inverse depth recorded in another bag, each with the stamp of its frame.

    :raises BagError: no such bag or topic, or nothing in it belongs to a frame.
    """
    with BagReader(candidate.bag_for(Path(paired.path))) as bag:
        topic = find_depth_topic(bag, candidate.topic)
        frames_ns = [pair.frame_ns for pair in paired.pairs]
        tolerance_ns = round(1e9 * protocol.tolerance_s)
        pairs = pair_stamps(frames_ns, header_stamps(bag, topic.name), tolerance_ns)
        if not pairs:
            raise BagError(
                f'{bag.path}: {topic.name} has no depth within {protocol.tolerance_s:g} s of a '
                'frame with ground truth (--tolerance)'
            )
        frame_stamps = {pair.truth_ns: pair.frame_ns for pair in pairs}
        for record in bag.records(topic.name):
            stamp_ns = frame_stamps.get(bag.header_stamp_ns(record) or 0)
            if stamp_ns is None:
                continue
            try:
                depth = read_depth(bag.message(record))
            except (BagError, InputError):
                continue
            # -Inf means too near: use the near limit; `invert` would make it infinitely far.
            near = np.where(depth == -np.inf, np.float32(protocol.depth_min_m), depth)
            yield FrameResult(stamp_ns), invert(near)
