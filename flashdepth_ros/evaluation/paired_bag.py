"""A bag whose images are paired with ground truth: maps on disk, camera and poses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from flashdepth_ros.bags import BagReader, Frames
from flashdepth_ros.camera.geometry import Float32, Float64
from flashdepth_ros.errors import BagError
from flashdepth_ros.evaluation.damage import header_stamps
from flashdepth_ros.evaluation.ground_truth import GroundTruth, View, find_ground_truth
from flashdepth_ros.evaluation.map_file import MapFile
from flashdepth_ros.evaluation.pairing import Pair, pair_stamps
from flashdepth_ros.evaluation.protocol import Protocol, Topics
from flashdepth_ros.evaluation.scoring import Scorer
from flashdepth_ros.evaluation.transforms import TransformTree, read_transforms


@dataclass
class PairedBag:
    """Input of the evaluation of a bag; the maps are on disk, by the number of their pair."""

    path: Path
    frames: Frames
    view: View
    ground_truth: GroundTruth
    pairs: list[Pair]
    truth_maps: MapFile
    images: MapFile
    scorer: Scorer
    poses: list[Float64 | None]
    pose_source: str
    damage: str = ''
    """Error at the position of damage in the recording; everything before it is evaluated."""

    @staticmethod
    def create(bag: BagReader, topics: Topics, protocol: Protocol, folder: Path) -> PairedBag:
        """
        Pair the frames of a bag with its ground truth; call `read` next.

        :param folder: for the maps; the caller removes it.
        :raises BagError: a topic is missing, or nothing pairs within the tolerance.
        """
        frames = Frames(bag, topics.image, topics.camera_info, warn=lambda _: None)
        view = View.of(frames)
        tree = read_transforms(bag, topics.odometry)
        ground_truth = find_ground_truth(bag, view, topics, tree, protocol)
        shape = ground_truth.shape
        pairs = _pairs(frames, ground_truth, protocol)
        poses, pose_source = _poses(tree, view, pairs)
        camera = ground_truth.camera
        if camera is not None and any(camera.distortion):
            pose_source, camera = 'none: the images are distorted; rectify them', None
        return PairedBag(
            path=bag.path,
            frames=frames,
            view=view,
            ground_truth=ground_truth,
            pairs=pairs,
            truth_maps=MapFile(folder / 'truth', shape, np.float32),
            images=MapFile(folder / 'image', (*shape, 3), np.uint8),
            scorer=Scorer(protocol, shape, camera, ground_truth.dense),
            poses=poses,
            pose_source=pose_source,
        )

    def read(self) -> None:
        """
        Read ground truth and images.

        :raises BagError: no ground truth is within the limits, or the lidar's pose is unknown.
        """
        protocol = self.scorer.protocol
        for number, depth in self.ground_truth.maps(self.pairs):
            known = mask_outside_limits(depth, protocol)
            if np.isfinite(known).any():
                self.truth_maps[number] = known
        if not len(self.truth_maps):
            raise BagError(
                f'{self.path}: {self.ground_truth.topic} has no depth between '
                f'{protocol.depth_min_m:g} and {protocol.depth_max_m:g} m that belongs to an '
                'image (--depth-min, --depth-max)'
            )
        index = self.index()
        size = (self.ground_truth.shape[1], self.ground_truth.shape[0])
        try:
            for frame in self.frames:
                if frame.stamp_ns in index:
                    image = cv2.resize(frame.rgb, size, interpolation=cv2.INTER_AREA)
                    self.images[index[frame.stamp_ns]] = np.asarray(image, np.uint8)
        except BagError as error:
            self.damage = str(error)

    def index(self) -> dict[int, int]:
        """Return the number of the pair of each frame stamp."""
        return {pair.frame_ns: number for number, pair in enumerate(self.pairs)}

    def close(self) -> None:
        """Close the files."""
        self.truth_maps.close()
        self.images.close()


def mask_outside_limits(depth: Float32, protocol: Protocol) -> Float32:
    """Return true depth with NaN outside the limits; the sky is outside."""
    with np.errstate(invalid='ignore'):
        inside = (depth >= protocol.depth_min_m) & (depth <= protocol.depth_max_m)
    return np.where(inside, depth, np.nan).astype(np.float32)


def _pairs(frames: Frames, ground_truth: GroundTruth, protocol: Protocol) -> list[Pair]:
    frames_ns = header_stamps(frames.bag, frames.image.name)
    truths_ns = ground_truth.stamps_ns
    pairs = pair_stamps(frames_ns, truths_ns, round(1e9 * protocol.tolerance_s))
    if not pairs:
        unlimited = pair_stamps(frames_ns, truths_ns, 2**62)
        nearest_s = min((abs(p.frame_ns - p.truth_ns) for p in unlimited), default=0) * 1e-9
        raise BagError(
            f'{frames.bag.path}: no frame of {frames.image.name} has ground truth on '
            f'{ground_truth.topic.name} within {protocol.tolerance_s:g} s; the nearest is '
            f'{nearest_s:.3f} s away (--tolerance)'
        )
    return pairs


def _poses(tree: TransformTree, view: View, pairs: list[Pair]) -> tuple[list[Float64 | None], str]:
    if not tree.moves(view.frame_id):
        reason = f'none: no transform in /tf or odometry moves {view.frame_id!r}'
        return [None] * len(pairs), reason
    poses = [tree.pose(view.frame_id, pair.frame_ns) for pair in pairs]
    return poses, f'{view.frame_id} in {tree.root(view.frame_id)}, from /tf and odometry'
