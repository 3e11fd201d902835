"""From the `model = dict(...)` of an MMFashion configuration file to its network."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from inference.networks.mmfashion.attribute_head import AttributeHead
from inference.networks.mmfashion.category_head import CategoryHead
from inference.networks.mmfashion.embedding import EmbedExtractor
from inference.networks.mmfashion.fusion import Fusion
from inference.networks.mmfashion.geometric_matching import (
    FeatureExtractor,
    FeatureNorm,
    FeatureRegression,
    GeometricMatching,
)
from inference.networks.mmfashion.global_pooling import GlobalPooling
from inference.networks.mmfashion.landmark_detector import (
    LandmarkDetector,
    LandmarkFeatures,
    PointHead,
    VisibilityHead,
)
from inference.networks.mmfashion.predictor import Predictor
from inference.networks.mmfashion.recommender import TripletNet, TypeAwareRecommender
from inference.networks.mmfashion.resnet import DEPTHS, ResNet
from inference.networks.mmfashion.retriever import Retriever
from inference.networks.mmfashion.roi_pooling import RoIPooling
from inference.networks.mmfashion.settings import BadConfig, Settings
from inference.networks.mmfashion.tps import TPSWarp
from inference.networks.mmfashion.tryon import TryOn
from inference.networks.mmfashion.type_spaces import TypeSpaces
from inference.networks.mmfashion.vgg import Vgg

Config = Mapping[str, Any]


def build(config: Config, *, device: torch.device | str = "cpu") -> nn.Module:
    """The network in evaluation mode, untrained. Raises BadConfig.

    On the device "meta" it takes no memory: its keys and shapes can be read, and
    `load_state_dict(..., assign=True)` gives it weights without holding any twice.
    """
    with torch.device(device):
        network = _build_any(Settings("model", config))
    return network.eval()


def count_bytes(config: Config) -> int:
    """What the weights of this model take as float32. Raises BadConfig."""
    tensors = build(config, device="meta").state_dict().values()
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _build_any(model: Settings) -> nn.Module:
    kind = model.take("type")
    if kind not in _MODELS:
        raise BadConfig(f"There is no model {kind!r}; there are {', '.join(sorted(_MODELS))}.")
    network = _MODELS[kind](model)
    model.ignore("pretrained")
    model.finish()
    return network


def _build_predictor(model: Settings, *, landmarks: bool, categories: bool) -> nn.Module:
    # The coarse global configurations hand the loss to the model, which takes none of it.
    model.ignore("loss_attr")
    backbone = _build_backbone(model.enter("backbone"))
    pool, size = _build_global_pool(model.enter("global_pool"), backbone)
    roi_pool, concat, size = (
        _build_local(model, backbone, size) if landmarks else (None, None, size)
    )
    return Predictor(
        backbone=backbone,
        global_pool=pool,
        roi_pool=roi_pool,
        concat=concat,
        attr_predictor=_build_attributes(model.enter("attr_predictor"), size),
        cate_predictor=_build_categories(model.enter("cate_predictor"), size)
        if categories
        else None,
    )


def _build_retriever(model: Settings, *, landmarks: bool) -> nn.Module:
    backbone = _build_backbone(model.enter("backbone"))
    pool, size = _build_global_pool(model.enter("global_pool"), backbone)
    roi_pool, concat, size = (
        _build_local(model, backbone, size) if landmarks else (None, None, size)
    )
    attributes = model.enter_if_any("attr_predictor")
    embedding = model.enter("embed_extractor", kind="EmbedExtractor")
    out, items = embedding.take_numbers("inter_channels", 2)
    embedding.expect("inchannels", size)
    embedding.ignore("loss_id", "loss_triplet")
    embedding.finish()
    return Retriever(
        backbone=backbone,
        global_pool=pool,
        roi_pool=roi_pool,
        concat=concat,
        embed_extractor=EmbedExtractor(size=size, out=out, items=items),
        attr_predictor=_build_attributes(attributes, size) if attributes else None,
    )


def _build_landmark_detector(model: Settings) -> nn.Module:
    backbone = _build_backbone(model.enter("backbone"))
    pool, size = _build_global_pool(model.enter("global_pool"), backbone)
    features = model.enter("landmark_feature_extractor", kind="LandmarkFeatureExtractor")
    features.expect("inchannels", size)
    depth, landmarks = features.take_number("feature_dim"), features.take_number("landmarks")
    features.finish()
    for name, kind, loss in (
        ("visibility_classifier", "VisibilityClassifier", "loss_vis"),
        ("landmark_regression", "LandmarkRegression", "loss_regress"),
    ):
        head = model.enter(name, kind=kind)
        head.expect("inchannels", depth)
        head.expect("landmark_num", landmarks)
        head.expect("outchannels", 2)
        head.ignore(loss)
        head.finish()
    return LandmarkDetector(
        backbone=backbone,
        global_pool=pool,
        landmark_feature_extractor=LandmarkFeatures(size=size, depth=depth, landmarks=landmarks),
        visibility_classifier=VisibilityHead(depth=depth),
        landmark_regression=PointHead(depth=depth),
    )


def _build_recommender(model: Settings) -> nn.Module:
    backbone = _build_backbone(model.enter("backbone"))
    pool, size = _build_global_pool(model.enter("global_pool"), backbone)
    spaces = model.enter("type_specific_net", kind="TypeSpecificNet")
    layers, learned = spaces.take("use_fc", True), spaces.take("learned")
    if layers and learned:
        raise BadConfig(
            "model.type_specific_net: learned masks and use_fc exclude each other; "
            "say learned=False, as the weights with layers were made."
        )
    if spaces.take("rand_typespaces", False) or spaces.take("prein", False):
        raise BadConfig("model.type_specific_net: rand_typespaces and prein were never released.")
    spaces.expect("dim_embed", size, size)
    specific = TypeSpaces(
        spaces=spaces.take_number("n_conditions"),
        size=size,
        layers=bool(layers),
        normalised=bool(spaces.take("l2_embed", False)),
    )
    spaces.finish()
    triplet = model.enter("triplet_net", kind="TripletNet")
    triplet.expect("embed_feature_dim", size)
    net = TripletNet(
        text_size=triplet.take_number("text_feature_dim"),
        size=size,
        learned_metric=bool(triplet.take("learned_metric", True)),
    )
    triplet.ignore("loss_vse", "loss_triplet", "loss_sim_i", "loss_selective_margin")
    triplet.finish()
    model.ignore("loss_embed", "loss_mask")
    return TypeAwareRecommender(
        backbone=backbone, global_pool=pool, type_specific_net=specific, triplet_net=net
    )


def _build_geometric_matching(model: Settings) -> nn.Module:
    extractors = []
    for name in ("feature_extractor_a", "feature_extractor_b"):
        part = model.enter(name, kind="FeatureExtractor")
        extractors.append(
            FeatureExtractor(
                channels=part.take_number("in_channels"),
                width=part.take_number("ngf", 64),
                depth=part.take_number("n_layers", 3),
            )
        )
        part.finish()
    norm = model.enter("feature_norm", kind="FeatureNorm")
    epsilon = float(norm.take("eps", 1e-6))
    norm.finish()
    model.enter("feature_correlation", kind="FeatureCorrelation").finish()
    part = model.enter("feature_regression", kind="FeatureRegression")
    widths = part.take_numbers("inter_channels", 4, (512, 256, 128, 64))
    regression = FeatureRegression(
        channels=part.take_number("in_channels"),
        out=part.take_number("out_channels"),
        widths=(widths[0], widths[1], widths[2], widths[3]),
    )
    part.finish()
    part = model.enter("tps_warp", kind="TPSWarp")
    warp = TPSWarp(
        height=part.take_number("out_h", 256),
        width=part.take_number("out_w", 192),
        points=part.take_number("grid_size", 3),
    )
    part.expect("use_regular_grid", True, True)
    part.expect("reg_factor", 0, 0)
    part.finish()
    model.ignore("loss")
    return GeometricMatching(
        person=extractors[0],
        cloth=extractors[1],
        norm=FeatureNorm(epsilon=epsilon),
        regression=regression,
        warp=warp,
    )


def _build_tryon(model: Settings) -> nn.Module:
    norm = model.take("norm_layer", nn.InstanceNorm2d)
    if norm not in {nn.InstanceNorm2d, "InstanceNorm2d", "IN"} or model.take("use_dropout", False):
        raise BadConfig("model: only InstanceNorm2d without dropout was released.")
    innermost, between = (
        (pair[0], pair[1])
        for pair in (
            model.take_numbers("down_channels", 2, (8, 8)),
            model.take_numbers("inter_channels", 2, (8, 8)),
        )
    )
    network = TryOn(
        width=model.take_number("ngf"),
        channels=model.take_number("in_channels"),
        out=model.take_number("out_channels"),
        depth=model.take_number("num_downs"),
        innermost=innermost,
        between=between,
        upwards=tuple(
            (int(pair[0]), int(pair[1]))
            for pair in model.take("up_channels", ((4, 8), (2, 4), (1, 2)))
        ),
    )
    model.ignore("loss_l1", "loss_vgg", "loss_mask")
    return network


def _build_backbone(backbone: Settings) -> Vgg | ResNet:
    kind = backbone.take("type")
    if kind == "Vgg":
        backbone.expect("layer_setting", "vgg16", "vgg16")
        network: Vgg | ResNet = Vgg(batch_norm=bool(backbone.take("batch_norm", False)))
        backbone.ignore("init_weights")
    elif kind == "ResNet":
        # MMFashion's landmark detector says layer_setting, which its own ResNet refuses.
        setting = backbone.take("setting", None) or backbone.take("layer_setting", None)
        if setting not in DEPTHS:
            raise BadConfig(f"model.backbone: no ResNet {setting!r}; {', '.join(DEPTHS)} exist.")
        network = ResNet(setting=setting)
        backbone.ignore("layer_setting")
    else:
        raise BadConfig(f"model.backbone: no backbone {kind!r}; Vgg and ResNet exist.")
    backbone.finish()
    return network


def _build_global_pool(pool: Settings, backbone: Vgg | ResNet) -> tuple[GlobalPooling, int]:
    pool.expect("type", "GlobalPooling")
    pool.ignore("pool_plane")  # MMFashion's code never reads it
    plane = pool.take_numbers("inplanes", 2, (7, 7))
    inner = pool.take("inter_channels")
    if not isinstance(inner, list | tuple) or len(inner) not in {1, 2}:
        raise BadConfig("model.global_pool.inter_channels: one or two numbers are needed.")
    if inner[0] != backbone.channels:
        raise BadConfig(
            f"model.global_pool.inter_channels begins with {inner[0]}, "
            f"the backbone has {backbone.channels} channels."
        )
    out = pool.take_number("outchannels")
    pool.finish()
    hidden = int(inner[1]) if len(inner) == 2 else None
    made = GlobalPooling(
        channels=backbone.channels, out=out, hidden=hidden, plane=(plane[0], plane[1])
    )
    return made, out


def _build_local(
    model: Settings, backbone: Vgg | ResNet, whole: int
) -> tuple[RoIPooling, Fusion, int]:
    part = model.enter("roi_pool", kind="RoIPooling")
    part.expect("inter_channels", backbone.channels)
    width, height = part.take_numbers("img_size", 2, (224, 224))
    if width != height:
        raise BadConfig("model.roi_pool.img_size: width and height have to be equal.")
    plane = part.take_numbers("pool_plane", 2)
    out = part.take_number("outchannels")
    roi_pool = RoIPooling(
        channels=backbone.channels,
        out=out,
        count=part.take_number("num_lms", 8),
        image_size=width,
        cells=part.take_number("crop_size", 7),
        window=part.take_number("roi_size", 2),
        plane=(plane[0], plane[1]),
    )
    part.finish()
    part = model.enter("concat", kind="Concat")
    part.expect("inchannels", whole + out)
    size = part.take_number("outchannels")
    part.finish()
    return roi_pool, Fusion(size=whole + out, out=size), size


def _build_attributes(part: Settings, size: int) -> AttributeHead:
    part.expect("type", "AttrPredictor")
    part.expect("inchannels", size)
    head = AttributeHead(size=size, attributes=part.take_number("outchannels"))
    part.ignore("loss_attr")
    part.finish()
    return head


def _build_categories(part: Settings, size: int) -> CategoryHead:
    part.expect("type", "CatePredictor")
    part.expect("inchannels", size)
    head = CategoryHead(size=size, categories=part.take_number("outchannels"))
    part.ignore("loss_cate")
    part.finish()
    return head


_MODELS: dict[str, Callable[[Settings], nn.Module]] = {
    "GlobalPredictor": lambda m: _build_predictor(m, landmarks=False, categories=False),
    "RoIPredictor": lambda m: _build_predictor(m, landmarks=True, categories=False),
    "GlobalAttrCatePredictor": lambda m: _build_predictor(m, landmarks=False, categories=True),
    "RoIAttrCatePredictor": lambda m: _build_predictor(m, landmarks=True, categories=True),
    "GlobalRetriever": lambda m: _build_retriever(m, landmarks=False),
    "RoIRetriever": lambda m: _build_retriever(m, landmarks=True),
    "LandmarkDetector": _build_landmark_detector,
    "TypeAwareRecommender": _build_recommender,
    "GeometricMatching": _build_geometric_matching,
    "Tryon": _build_tryon,
}
