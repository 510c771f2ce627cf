"""Predicted inverse depth of a candidate for every pair of a bag, on disk, and the latencies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple
from pathlib import Path

import numpy as np
from tqdm import tqdm

from flashdepth_ros.bags import (
    INVERSE,
    BagReader,
    Frame,
    Frames,
    Topic,
    estimate_frames,
    find_predicted_topic,
)
from flashdepth_ros.bags.join import match
from flashdepth_ros.bags.scale import RecordedScale, scaled_inverse_depths
from flashdepth_ros.bags.track import Track
from flashdepth_ros.bags.view import View
from flashdepth_ros.camera.geometry import Float32, invert
from flashdepth_ros.camera.sampling import resample, subsample
from flashdepth_ros.errors import BagError, InputError
from flashdepth_ros.evaluation.candidates import ModelCandidate, RecordedCandidate
from flashdepth_ros.evaluation.damage import reason
from flashdepth_ros.evaluation.ground_truth import other_camera
from flashdepth_ros.evaluation.map_file import MapFile
from flashdepth_ros.evaluation.paired_bag import PairedBag
from flashdepth_ros.evaluation.protocol import Protocol
from flashdepth_ros.evaluation.results import CandidateResult, FrameResult
from flashdepth_ros.messages import read_depth
from flashdepth_ros.runtime import DepthEstimator, DepthFrame

Predictions = Iterator[tuple[FrameResult, Float32]]


def store_predictions(
    predictions: Predictions, paired: PairedBag, maps: MapFile, result: CandidateResult
) -> None:
    """
    Store the predictions that have ground truth, at its pixels, and record every frame.

    If an error ends the predictions early, the result has the error and the frames before it.
    """
    numbers = paired.numbers()
    try:
        for frame, inverse_depth in predictions:
            number = numbers.get(frame.place, -1)
            if number in paired.truth_maps and number not in maps:
                full = resample(inverse_depth, paired.ground_truth.full_shape)
                maps[number] = subsample(full, paired.ground_truth.stride)
                frame.truth_ns = paired.pairs[number].truth.stamp_ns
            result.frames.append(frame)
    except Exception as error:  # noqa: BLE001 - whatever it is, the frames before it count
        result.failure = f'stopped after {len(result.frames)} frames: {reason(error)}'


def predict(
    candidate: ModelCandidate,
    estimator: DepthEstimator,
    paired: PairedBag,
    progress: bool,
    result: CandidateResult,
    stop: Callable[[], bool] = lambda: False,
) -> Predictions:
    """
    Yield a model's inverse depth of every frame of the bag, starting a new sequence.

    Frames without metres, before the first scale of a relative model, are left out.

    :param stop: ends a window early if it returns True.
    :raises BagError: the recording is damaged, raised at the damage; or it has no such reference.
    """
    estimator.warm_up(*paired.view.shape)
    estimator.reset()
    topics = paired.frames
    frames = Frames(
        topics.bag,
        topics.image.name,
        topics.camera_info.name if topics.camera_info else '',
        paired.warn,
        topics.bits,
    )
    estimates = tqdm(
        estimate_frames(frames, estimator, candidate.windows, stop),
        desc=f'{paired.name}: {result.label}',
        total=len(frames),
        unit='frame',
        disable=not progress,
    )
    for frame, depth in _scaled(estimates, candidate, paired, result):
        stages_ms = astuple(depth.times)
        yield FrameResult(frame.place, frame.stamp_ns, stages_ms=stages_ms), depth.inverse_depth
        result.skipped = frames.skipped


def _scaled(
    estimates: Iterable[tuple[Frame, DepthFrame]],
    candidate: ModelCandidate,
    paired: PairedBag,
    result: CandidateResult,
) -> Iterator[tuple[Frame, DepthFrame]]:
    """Yield the frames in metres by the candidate's reference; unchanged without one."""
    if not candidate.is_scaled:
        yield from estimates
        return
    with BagReader(paired.path) as bag:
        scale = RecordedScale(bag, candidate.settings, candidate.scale_from)
        yield from scaled_inverse_depths(estimates, scale)
        result.scale = scale.summary
        if scale.problem:
            paired.warn(f'{candidate.label}: {scale.problem}')


def read_predictions(
    candidate: RecordedCandidate, paired: PairedBag, protocol: Protocol, result: CandidateResult
) -> Predictions:
    """
    Yield the inverse depth recorded in another bag, each with the times of its frame.

    A topic named `depth/inverse` holds inverse depth without a unit, any other one depth.

    :raises BagError: no such bag or topic, it is of another camera, or nothing in it belongs to a
        frame.
    :raises InputError: it is unknown which depth belongs to which frame.
    """
    with BagReader(candidate.bag_for(Path(paired.path))) as bag:
        topic = find_predicted_topic(bag, candidate.topic)
        result.relative = topic.name.endswith(f'/{INVERSE}')
        _check_camera(bag, topic, paired, protocol)
        numbers = paired.numbers()
        track = Track(bag, topic.name, partial=True)
        matches, notes = match(paired.track, track, round(1e9 * protocol.tolerance_s))
        entries = {m.second.place: m.first for m in matches if m.first.place in numbers}
        if not entries:
            raise BagError(
                f'{bag.path}: {topic.name} has no depth within {protocol.tolerance_s:g} s of a '
                f'frame with ground truth (--tolerance){"".join(f"; {note}" for note in notes)}'
            )
        new = [note for note in notes if note not in paired.warnings]
        paired.warn(*(f'{candidate.label}: {note}' for note in new))
        for place, record in enumerate(bag.records(topic.name)):
            if place not in entries:
                continue
            try:
                depth = read_depth(bag.message(record))
            except (BagError, InputError):
                continue
            if not result.relative:
                # -Inf means too near; `invert` would make it infinitely far.
                near = np.where(depth == -np.inf, np.float32(protocol.depth_min_m), depth)
                depth = invert(near)
            yield FrameResult(entries[place].place, entries[place].stamp_ns), depth


def _check_camera(bag: BagReader, topic: Topic, paired: PairedBag, protocol: Protocol) -> None:
    """Raise BagError if the predictions are of another camera than the images."""
    difference = other_camera(paired.view, View.of_depth(bag, topic), paired.tree)
    if not difference:
        return
    problem = f'{topic.name} is not of the camera of {paired.view.topic}: {difference}'
    if not protocol.allow_other_camera:
        raise BagError(
            f'{bag.path}: {problem}; predict the depth of {paired.view.topic}, or set '
            '--allow-other-camera'
        )
    paired.warn(f'{problem}; compared pixel by pixel (--allow-other-camera)')
