"""A candidate's inverse depth for every pair of a bag, on disk, and how long it took."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple
from functools import partial
from pathlib import Path
import sys

import numpy as np
from tqdm import tqdm

from flashdepth_ros.bags import BagReader, Frames, estimated, find_depth_topic
from flashdepth_ros.camera.geometry import Float32, invert
from flashdepth_ros.camera.sampling import sampled, thinned
from flashdepth_ros.errors import BagError, FlashDepthError, InputError
from flashdepth_ros.evaluation.candidates import RecordedCandidate
from flashdepth_ros.evaluation.damage import header_stamps
from flashdepth_ros.evaluation.pairing import paired
from flashdepth_ros.evaluation.protocol import Protocol
from flashdepth_ros.evaluation.results import CandidateResult, FrameResult
from flashdepth_ros.evaluation.scene import Scene
from flashdepth_ros.evaluation.stack import Stack
from flashdepth_ros.messages import read_depth
from flashdepth_ros.runtime import DepthEstimator

Predicted = Iterator[tuple[FrameResult, Float32]]


def store(predicted: Predicted, scene: Scene, into: Stack, result: CandidateResult) -> None:
    """
    Keep what is predicted beside truth, at the truth's pixels, and an account of every frame.

    Where it ends too early the result says why, and keeps the frames done before.
    """
    index = scene.index()
    try:
        for frame, inverse_depth in predicted:
            number = index.get(frame.stamp_ns, -1)
            if number in scene.truths and number not in into:
                full = sampled(inverse_depth, scene.truth.full_shape)
                into[number] = thinned(full, scene.truth.stride)
                frame.truth_ns = scene.pairs[number].truth_ns
            result.frames.append(frame)
    except FlashDepthError as error:
        result.failure = f'stopped after {len(result.frames)} frames: {error}'


def estimated_by(
    estimator: DepthEstimator, scene: Scene, progress: bool, result: CandidateResult
) -> Predicted:
    """
    Yield the inverse depth of every frame of the bag, by a model that starts anew.

    :raises BagError: at the place where the recording is damaged.
    """
    estimator.warm_up(*scene.view.shape)
    estimator.reset()
    frames = scene.frames
    again = Frames(
        frames.bag,
        frames.image.name,
        frames.camera_info.name if frames.camera_info else '',
        warn=partial(tqdm.write, file=sys.stderr),
    )
    shown = tqdm(
        estimated(again, estimator),
        desc=f'{scene.path.name}: {result.label}',
        total=len(again),
        unit='frame',
        disable=not progress,
    )
    for frame, depth in shown:
        yield FrameResult(frame.stamp_ns, stages_ms=astuple(depth.times)), depth.inverse_depth
        result.skipped = again.skipped


def recorded_in(candidate: RecordedCandidate, scene: Scene, protocol: Protocol) -> Predicted:
    """
    Yield the inverse depth of another bag, each at the stamp of the frame it belongs to.

    :raises BagError: there is no such bag or topic, or nothing in it belongs to a frame.
    """
    with BagReader(candidate.bag_for(Path(scene.path))) as bag:
        topic = find_depth_topic(bag, candidate.topic)
        frames_ns = [pair.frame_ns for pair in scene.pairs]
        tolerance_ns = round(1e9 * protocol.tolerance_s)
        pairs = paired(frames_ns, header_stamps(bag, topic.name), tolerance_ns)
        if not pairs:
            raise BagError(
                f'{bag.path}: {topic.name} has no depth within {protocol.tolerance_s:g} s of a '
                'frame that has truth (--tolerance)'
            )
        frame_of = {pair.truth_ns: pair.frame_ns for pair in pairs}
        for record in bag.records(topic.name):
            stamp_ns = frame_of.get(bag.header_stamp_ns(record) or 0)
            if stamp_ns is None:
                continue
            try:
                depth = read_depth(bag.message(record))
            except (BagError, InputError):
                continue
            # Too near, -Inf, is as near as the limit; invert alone would make it as far as +Inf.
            near = np.where(depth == -np.inf, np.float32(protocol.depth_min_m), depth)
            yield FrameResult(stamp_ns), invert(near)
