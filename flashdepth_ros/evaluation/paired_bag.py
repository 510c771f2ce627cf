"""A bag whose images are paired with ground truth: maps on disk, camera and poses."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
import sys

import cv2
import numpy as np
from tqdm import tqdm

from flashdepth_ros.bags import BagReader, Frames
from flashdepth_ros.bags.track import Track
from flashdepth_ros.bags.view import View
from flashdepth_ros.camera.geometry import Float32, Float64
from flashdepth_ros.errors import BagError
from flashdepth_ros.evaluation.ground_truth import GroundTruth, find_ground_truth
from flashdepth_ros.evaluation.map_file import MapFile
from flashdepth_ros.evaluation.pairing import Pair, pair_frames
from flashdepth_ros.evaluation.protocol import Protocol, Topics
from flashdepth_ros.evaluation.scoring import Scorer
from flashdepth_ros.evaluation.transforms import TransformTree, read_transforms


@dataclass
class PairedBag:
    """Input of the evaluation of a bag; the maps are on disk, by the number of their pair."""

    name: str
    """In the report."""
    frames: Frames
    track: Track
    """The header stamps of the images."""
    view: View
    tree: TransformTree
    ground_truth: GroundTruth
    pairs: list[Pair]
    truth_maps: MapFile
    images: MapFile
    scorer: Scorer
    poses: list[Float64 | None]
    pose_source: str
    damage: str = ''
    """Error at the position of damage in the recording; everything before it is evaluated."""
    warnings: list[str] = field(default_factory=list)
    """What a reader of the figures must know, one line each."""

    @staticmethod
    def create(
        bag: BagReader, topics: Topics, protocol: Protocol, folder: Path, name: str
    ) -> PairedBag:
        """
        Pair the frames of a bag with its ground truth, as `name` in the report; call `read` next.

        :param folder: for the maps; the caller removes it.
        :raises BagError: a topic is missing, nothing pairs within the tolerance, or depth is of
            another camera.
        :raises InputError: it is unknown which ground truth belongs to which image.
        """
        frames = Frames(bag, topics.image, topics.camera_info, lambda _: None, protocol.image_bits)
        view = View.of_images(frames, protocol.allow_other_camera)
        tree = read_transforms(bag, topics.odometry)
        ground_truth = find_ground_truth(bag, view, topics, tree, protocol)
        track = Track(bag, frames.image.name, partial=True)
        pairs, notes = pair_frames(track, ground_truth.track, protocol.tolerance_s)
        poses, pose_source = _poses(tree, view, pairs)
        shape, camera = ground_truth.shape, ground_truth.camera
        if camera is not None and any(camera.distortion):
            pose_source, camera = 'none: the images are distorted; rectify them', None
        paired = PairedBag(
            name=name,
            frames=frames,
            track=track,
            view=view,
            tree=tree,
            ground_truth=ground_truth,
            pairs=pairs,
            truth_maps=MapFile(folder / 'truth', shape, np.float32),
            images=MapFile(folder / 'image', (*shape, 3), np.uint8),
            scorer=Scorer(protocol, shape, camera, ground_truth.dense),
            poses=poses,
            pose_source=pose_source,
        )
        paired.warn(*ground_truth.notes, *notes, *frames.cameras.doubts)
        return paired

    @property
    def path(self) -> Path:
        """Return the path of the bag."""
        return self.frames.bag.path

    def warn(self, *texts: str) -> None:
        """Write each new warning to the terminal and keep it for the report."""
        for text in texts:
            if text not in self.warnings:
                self.warnings.append(text)
                tqdm.write(f'{self.name}: {text}', file=sys.stderr)

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
        numbers = self.numbers()
        size = (self.ground_truth.shape[1], self.ground_truth.shape[0])
        try:
            for frame in self.frames:
                if frame.place in numbers:
                    image = cv2.resize(frame.rgb, size, interpolation=cv2.INTER_AREA)
                    self.images[numbers[frame.place]] = np.asarray(image, np.uint8)
        except BagError as error:
            self.damage = str(error)

    def numbers(self) -> dict[int, int]:
        """Return the number of the pair of each image, by its place on the topic."""
        return {pair.frame.place: number for number, pair in enumerate(self.pairs)}

    def close(self) -> None:
        """Close the files."""
        self.truth_maps.close()
        self.images.close()


def mask_outside_limits(depth: Float32, protocol: Protocol) -> Float32:
    """Return true depth with NaN outside the limits; the sky is outside."""
    with np.errstate(invalid='ignore'):
        inside = (depth >= protocol.depth_min_m) & (depth <= protocol.depth_max_m)
    return np.where(inside, depth, np.nan).astype(np.float32)


def _poses(tree: TransformTree, view: View, pairs: list[Pair]) -> tuple[list[Float64 | None], str]:
    if not tree.moves(view.frame_id):
        reason = f'none: no transform in /tf or odometry moves {view.frame_id!r}'
        return [None] * len(pairs), reason
    poses = [
        tree.pose(view.frame_id, pair.frame.time_ns, pair.frame.recorded_ns) for pair in pairs
    ]
    return poses, f'{view.frame_id} in {tree.root(view.frame_id)}, from /tf and odometry'
