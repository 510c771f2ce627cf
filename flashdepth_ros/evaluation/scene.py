"""One bag made ready: its pairs, with image and truth on disk, its camera and poses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from flashdepth_ros.bags import BagReader, Frames
from flashdepth_ros.camera.geometry import Float32, Float64
from flashdepth_ros.errors import BagError
from flashdepth_ros.evaluation.damage import header_stamps
from flashdepth_ros.evaluation.pairing import Pair, paired
from flashdepth_ros.evaluation.protocol import Protocol, Topics
from flashdepth_ros.evaluation.scoring import Scorer
from flashdepth_ros.evaluation.stack import Stack
from flashdepth_ros.evaluation.transforms import TransformTree, read_transforms
from flashdepth_ros.evaluation.truth import Truth, View, find_truth


@dataclass
class Scene:
    """What every candidate of a bag is held against; maps lie on disk, by number of the pair."""

    path: Path
    frames: Frames
    view: View
    truth: Truth
    pairs: list[Pair]
    truths: Stack
    images: Stack
    scorer: Scorer
    poses: list[Float64 | None]
    poses_from: str
    damage: str = ''
    """Where the recording is damaged: what was found there; all before it can be judged."""

    @staticmethod
    def paired(bag: BagReader, topics: Topics, protocol: Protocol, folder: Path) -> Scene:
        """
        Pair the frames of a bag with its truth; `read` must follow.

        :param folder: for the maps; the caller removes it.
        :raises BagError: a topic is missing, or nothing pairs within the tolerance.
        """
        frames = Frames(bag, topics.image, topics.camera_info, warn=lambda _: None)
        view = View.of(frames)
        tree = read_transforms(bag, topics.odometry)
        truth = find_truth(bag, view, topics, tree, protocol)
        pairs = _pairs(frames, truth, protocol)
        poses, poses_from = _poses(tree, view, pairs)
        camera = truth.camera
        if camera is not None and any(camera.distortion):
            poses_from, camera = 'none: the pictures are distorted, rectify them', None
        scorer = Scorer(protocol, truth.shape, camera, truth.dense)
        return Scene(
            path=bag.path,
            frames=frames,
            view=view,
            truth=truth,
            pairs=pairs,
            truths=Stack(folder / 'truth', truth.shape, np.float32),
            images=Stack(folder / 'image', (*truth.shape, 3), np.uint8),
            scorer=scorer,
            poses=poses,
            poses_from=poses_from,
        )

    def read(self) -> None:
        """
        Read truth and pictures.

        :raises BagError: no truth lies within the limits, or nothing says where the lidar is.
        """
        protocol = self.scorer.protocol
        for number, depth in self.truth.maps(self.pairs):
            known = limited(depth, protocol)
            if np.isfinite(known).any():
                self.truths[number] = known
        if not len(self.truths):
            raise BagError(
                f'{self.path}: {self.truth.topic} has no depth between {protocol.depth_min_m:g} '
                f'and {protocol.depth_max_m:g} m beside a picture (--depth-min, --depth-max)'
            )
        index = self.index()
        size = (self.truth.shape[1], self.truth.shape[0])
        try:
            for frame in self.frames:
                if frame.stamp_ns in index:
                    picture = cv2.resize(frame.rgb, size, interpolation=cv2.INTER_AREA)
                    self.images[index[frame.stamp_ns]] = np.asarray(picture, np.uint8)
        except BagError as error:
            self.damage = str(error)

    def index(self) -> dict[int, int]:
        """Return the number of the pair that each frame's stamp belongs to."""
        return {pair.frame_ns: number for number, pair in enumerate(self.pairs)}

    def close(self) -> None:
        """Let go of the files."""
        self.truths.close()
        self.images.close()


def limited(depth: Float32, protocol: Protocol) -> Float32:
    """Return the depth that counts as true: within the limits, else NaN; the sky is none."""
    with np.errstate(invalid='ignore'):
        counts = (depth >= protocol.depth_min_m) & (depth <= protocol.depth_max_m)
    return np.where(counts, depth, np.nan).astype(np.float32)


def _pairs(frames: Frames, truth: Truth, protocol: Protocol) -> list[Pair]:
    frames_ns = header_stamps(frames.bag, frames.image.name)
    truths_ns = truth.stamps_ns
    pairs = paired(frames_ns, truths_ns, round(1e9 * protocol.tolerance_s))
    if not pairs:
        near = paired(frames_ns, truths_ns, 2**62)
        nearest = min((abs(p.frame_ns - p.truth_ns) for p in near), default=0) * 1e-9
        raise BagError(
            f'{frames.bag.path}: no frame of {frames.image.name} has truth on {truth.topic.name} '
            f'within {protocol.tolerance_s:g} s; the nearest is {nearest:.3f} s away '
            '(--tolerance)'
        )
    return pairs


def _poses(tree: TransformTree, view: View, pairs: list[Pair]) -> tuple[list[Float64 | None], str]:
    if not tree.moves(view.frame_id):
        reason = f'none: nothing in /tf or odometry moves {view.frame_id!r}'
        return [None] * len(pairs), reason
    poses = [tree.pose(view.frame_id, pair.frame_ns) for pair in pairs]
    return poses, f'{view.frame_id} in {tree.root(view.frame_id)}, by /tf and odometry'
