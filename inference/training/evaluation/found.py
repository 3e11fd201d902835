"""How well garments are found in outfit photos: by the finder alone, and as the engine serves."""

from collections.abc import Iterable, Sequence

from inference.contract import Garment, ObjectType
from inference.detection import OBJECTS, Detail, Found, decode_maps, fit, tidy
from inference.preprocess import Pixels, whole
from inference.runtime import Network
from inference.training.detection.measure import Precision, match_all, summarise
from inference.training.evaluation.metrics import Metric
from inference.training.measure import Estimate
from inference.training.outfits import OutfitGarment

_ANY_DETAIL: dict[ObjectType, Detail] = {type_: detail for detail, type_ in OBJECTS.items()}


def find_alone(finder: Network, images: Iterable[Pixels]) -> list[list[Found]]:
    """What the finder sees in each photo, unsure things too, as average precision wants them."""
    found = []
    for image in images:
        area = whole(image)
        pixels, frame = fit(image, area)
        heat, edges, _ = (maps[0] for maps in finder(pixels[None]))
        found.append(tidy(decode_maps(heat, edges, frame=frame), area=area))
    return found


def find_served(garments: Iterable[Garment]) -> list[Found]:
    """The finer class of a garment is not served, and not asked for."""
    return [Found(g.object, _ANY_DETAIL[g.object], g.box, g.confidence) for g in garments]


def measure_found(
    found: Sequence[Sequence[Found]], right: Sequence[Sequence[OutfitGarment]]
) -> list[Metric]:
    """mAP over the four object types that are worn, for photos in the same order."""
    result = summarise("", match_all(found, right))
    metrics = [
        Metric("mAP@0.5", _estimate(result.map50, result.photos)),
        Metric("mAP@[.5:.95]", _estimate(result.map, result.photos)),
    ]
    for name, (at_half, _, garments) in result.classes.items():
        metrics.append(Metric(f"AP@0.5 {name}", Estimate(at_half, 0.0, 1.0, garments, "")))
    return metrics


def _estimate(precision: Precision, photos: int) -> Estimate:
    low, high = precision.interval
    return Estimate(
        precision.value, min(low, precision.value), max(high, precision.value), photos, "bootstrap"
    )
