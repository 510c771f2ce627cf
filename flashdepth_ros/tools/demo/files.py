"""Write the demo's files: contact sheet, video and point cloud."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from flashdepth_ros.bags import BagReader, Frames
from flashdepth_ros.bags.join import matched_records
from flashdepth_ros.bags.track import Entry, Track
from flashdepth_ros.bags.view import View
from flashdepth_ros.errors import InputError
from flashdepth_ros.messages import ImageReader, colorize, read_depth, read_rgb
from flashdepth_ros.presentation import (
    DepthRange,
    DepthVideo,
    TimeStep,
    contact_sheet,
    write_ply,
)
from flashdepth_ros.tools.demo.accuracy import TOLERANCE_NS
from flashdepth_ros.tools.demo.recorder import COLOR_TOPIC, POINTS_TOPIC
from flashdepth_ros.tools.demo.source import Source

UInt8 = npt.NDArray[np.uint8]

CONTACT_SHEET_COLUMNS = 6
_FRAME_DURATION_MAX_S = 2.0


@dataclass(frozen=True)
class Recordings:
    """The played bag and the bag of the node's outputs, both open."""

    source: Source
    played: BagReader
    recorded: BagReader

    @property
    def images(self) -> Track:
        """The played images."""
        return Track(self.played, self.source.image.name)

    @property
    def previews(self) -> Track:
        """The recorded colour previews of depth."""
        return Track(self.recorded, COLOR_TOPIC)

    @property
    def true_depth(self) -> Track | None:
        """The true depth, or None if the played bag has none."""
        topic = self.source.true_depth
        return None if topic is None else Track(self.played, topic.name)

    def check_true_depth(self) -> None:
        """
        Check that the true depth can be compared with depth of the images.

        :raises InputError: it is of another camera.
        """
        image, depth = self.source.image, self.source.true_depth
        if depth is None:
            return
        view = View.of_images(Frames(self.played, image.name, warn=lambda _: None))
        difference = view.difference(View.of_depth(self.played, depth))
        if difference:
            raise InputError(
                f'true depth on {depth.name} is not of the camera of {image.name}: {difference}'
            )

    def frames(self) -> Iterator[tuple[Entry, UInt8, UInt8]]:
        """Yield times, image and colour preview of every frame that the node published."""
        reader = ImageReader()
        for match, preview, image in matched_records(self.previews, self.images, TOLERANCE_NS):
            depth = read_rgb(self.recorded.message(preview))
            yield match.first, reader.read(self.played.message(image)), depth


def write_video(recordings: Recordings, path: Path) -> None:
    """
    Write a video of image and depth side by side; each frame is shown until the next one.

    :raises InputError: this OpenCV cannot write videos.
    """
    rate_hz = recordings.source.rate_hz
    start_ns = recordings.source.stamps_ns[0]
    previous: tuple[int, UInt8, UInt8] | None = None
    with DepthVideo(path, rate_hz) as video:
        for entry, image, depth in recordings.frames():
            stamp_ns = entry.stamp_ns
            if previous is not None:
                duration_s = min(max(stamp_ns - previous[0], 0) * 1e-9, _FRAME_DURATION_MAX_S)
                time_s = (previous[0] - start_ns) * 1e-9
                video.write(previous[1], previous[2], time_s, max(1, round(duration_s * rate_hz)))
            previous = stamp_ns, image, depth
        if previous is not None:
            video.write(previous[1], previous[2], (previous[0] - start_ns) * 1e-9)


def write_contact_sheet(recordings: Recordings, colours: DepthRange, path: Path) -> None:
    """Write up to six time steps, evenly distributed over the recorded outputs."""
    count = len(recordings.previews.stamps_ns)
    columns = min(CONTACT_SHEET_COLUMNS, count)
    selected = set(np.linspace(0, count - 1, columns).round().astype(int).tolist())
    start_ns = recordings.source.stamps_ns[0]
    true_depths = _true_depths(recordings, selected, colours)
    steps = [
        TimeStep((entry.stamp_ns - start_ns) * 1e-9, image, depth, true_depths.get(entry.place))
        for entry, image, depth in recordings.frames()
        if entry.place in selected
    ]
    sheet = contact_sheet(steps, colours)
    path.write_bytes(cv2.imencode('.png', cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))[1].tobytes())


def write_cloud(recordings: Recordings, path: Path) -> None:
    """
    Write the recorded point cloud.

    :raises InputError: no point cloud was recorded.
    """
    bag = recordings.recorded
    if POINTS_TOPIC not in {topic.name for topic in bag.topics}:
        raise InputError('no point cloud received; the recording has no matching camera_info')
    message = bag.message(next(bag.records(POINTS_TOPIC)))
    values = np.ascontiguousarray(message.data).view(np.float32)
    values = values.reshape(-1, message.point_step // 4)
    colours = np.full((len(values), 3), 128, np.uint8)
    if values.shape[1] > 3:
        # The bits of the float are 0x00RRGGBB; its little-endian bytes are blue, green, red, 0.
        colours = np.ascontiguousarray(values[:, 3:4]).view(np.uint8)[:, 2::-1]
    write_ply(path, values[:, :3], colours)


def _true_depths(
    recordings: Recordings, places: set[int], colours: DepthRange
) -> dict[int, UInt8]:
    if recordings.true_depth is None:
        return {}
    return {
        match.first.place: colorize(
            read_depth(recordings.played.message(true)), colours.minimum, colours.maximum
        )
        for match, _, true in matched_records(
            recordings.previews, recordings.true_depth, TOLERANCE_NS
        )
        if match.first.place in places
    }
