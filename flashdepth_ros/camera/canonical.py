"""The canonical camera of a model: what its metres mean while the focal length is unknown."""

from dataclasses import dataclass

from flashdepth_ros.camera.geometry import Intrinsics, canonical_scale


@dataclass(frozen=True)
class CanonicalCamera:
    """The camera that a model predicts depth for (arXiv 2307.10984)."""

    model: str = ''
    focal: float = 0.0
    """Focal length over the short side of the image; 0: the metres do not depend on K."""

    def loss(self, known: Intrinsics | None = None) -> str:
        """
        Return what is lost without a usable camera_info, in words.

        :param known: K that is not used, for the size of the error in metres.
        """
        if not self.focal:
            return 'no point cloud'
        factor = '' if known is None else f', here by the factor {self.ratio(known):.2f}'
        return (
            f'no point cloud, and the metres of {self.model} are those of a camera with a focal '
            f'length of {self.focal:g} x the short side of the image: wrong by the ratio of the '
            f'focal lengths{factor}'
        )

    def ratio(self, known: Intrinsics) -> float:
        """Return the factor from the metres without K to the metres of this camera."""
        if not self.focal:
            return 1.0
        return canonical_scale(known.fx, (known.height, known.width), self.focal)
