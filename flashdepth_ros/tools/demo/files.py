"""The files that the demo leaves: contact sheet, film, point cloud, table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from flashdepth_ros.bags import BagReader
from flashdepth_ros.bags.find import COMPRESSED_IMAGE
from flashdepth_ros.bags.join import Track, joined
from flashdepth_ros.errors import InputError
from flashdepth_ros.messages import colorize, read_compressed, read_depth, read_rgb
from flashdepth_ros.presentation import (
    DepthRange,
    Film,
    Moment,
    contact_sheet,
    write_ply,
)
from flashdepth_ros.tools.demo.accuracy import TOLERANCE_NS
from flashdepth_ros.tools.demo.recorder import COLOR_TOPIC, POINTS_TOPIC
from flashdepth_ros.tools.demo.source import Source

UInt8 = npt.NDArray[np.uint8]

MOMENTS = 6
_HOLD_MAX_S = 2.0


@dataclass(frozen=True)
class Recordings:
    """The played bag and the one that came back, both open."""

    source: Source
    played: BagReader
    recorded: BagReader

    @property
    def images(self) -> Track:
        """The images that were played."""
        return Track(self.played, self.source.image.name)

    @property
    def previews(self) -> Track:
        """The depth in colour that came back."""
        return Track(self.recorded, COLOR_TOPIC)

    @property
    def truth(self) -> Track | None:
        """The true depth, where the played bag has it."""
        return None if self.source.truth is None else Track(self.played, self.source.truth.name)

    def pictures(self) -> Iterator[tuple[int, UInt8, UInt8]]:
        """Yield stamp, image and depth as colour of every frame that came back."""
        for preview, image in joined(self.previews, self.images):
            stamp_ns = self.recorded.header_stamp_ns(preview) or 0
            colours = read_rgb(self.recorded.message(preview))
            yield stamp_ns, _picture(self.played, image), colours


def write_film(recordings: Recordings, path: Path) -> None:
    """
    Write image and depth side by side, in recorded time: a frame stays until the next one.

    :raises InputError: this OpenCV cannot write video.
    """
    rate_hz = recordings.source.rate_hz
    start_ns = recordings.source.stamps_ns[0]
    waiting: tuple[int, UInt8, UInt8] | None = None
    with Film(path, rate_hz) as film:
        for stamp_ns, image, depth in recordings.pictures():
            if waiting is not None:
                shown_s = min(max(stamp_ns - waiting[0], 0) * 1e-9, _HOLD_MAX_S)
                time_s = (waiting[0] - start_ns) * 1e-9
                film.show(waiting[1], waiting[2], time_s, max(1, round(shown_s * rate_hz)))
            waiting = stamp_ns, image, depth
        if waiting is not None:
            film.show(waiting[1], waiting[2], (waiting[0] - start_ns) * 1e-9)


def write_contact_sheet(recordings: Recordings, colours: DepthRange, path: Path) -> None:
    """Write six moments, or as many as there are, evenly spread over what came back."""
    count = len(recordings.previews.stamps_ns)
    chosen = set(np.linspace(0, count - 1, min(MOMENTS, count)).round().astype(int).tolist())
    start_ns = recordings.source.stamps_ns[0]
    stamps = {recordings.previews.stamps_ns[index] for index in chosen}
    truths = _truths(recordings, stamps, colours)
    moments = [
        Moment((stamp_ns - start_ns) * 1e-9, image, depth, truths.get(stamp_ns))
        for stamp_ns, image, depth in recordings.pictures()
        if stamp_ns in stamps
    ]
    sheet = contact_sheet(moments, colours)
    path.write_bytes(cv2.imencode('.png', cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))[1].tobytes())


def write_cloud(recordings: Recordings, path: Path) -> None:
    """
    Write the cloud that came back.

    :raises InputError: none did.
    """
    bag = recordings.recorded
    if POINTS_TOPIC not in {topic.name for topic in bag.topics}:
        raise InputError('no cloud came back; the recording has no camera_info that fits')
    message = bag.message(next(bag.records(POINTS_TOPIC)))
    values = np.ascontiguousarray(message.data).view(np.float32)
    values = values.reshape(-1, message.point_step // 4)
    colours = np.full((len(values), 3), 128, np.uint8)
    if values.shape[1] > 3:
        # 0x00RRGGBB in the bits of a little-endian float: its bytes are blue, green, red.
        colours = np.ascontiguousarray(values[:, 3:4]).view(np.uint8)[:, 2::-1]
    write_ply(path, values[:, :3], colours)


def _truths(recordings: Recordings, stamps: set[int], colours: DepthRange) -> dict[int, UInt8]:
    if recordings.truth is None:
        return {}
    return {
        stamp_ns: colorize(
            read_depth(recordings.played.message(truth)), colours.minimum, colours.maximum
        )
        for preview, truth in joined(recordings.previews, recordings.truth, TOLERANCE_NS)
        if (stamp_ns := recordings.recorded.header_stamp_ns(preview)) in stamps
        and stamp_ns is not None
    }


def _picture(bag: BagReader, record: Any) -> UInt8:
    message = bag.message(record)
    return read_compressed(message) if record.type == COMPRESSED_IMAGE else read_rgb(message)
