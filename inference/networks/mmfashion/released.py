"""The models that MMFashion released, as their configuration files describe them.

Named as its files under configs/ are. The two coarse global predictors and the landmark detector
by ResNet are as its forks run them: MMFashion cannot build its own files there.
"""

from typing import Any

Model = dict[str, Any]

_VGG: Model = {"type": "Vgg"}
_RESNET: Model = {"type": "ResNet", "setting": "resnet50"}
_CHANNELS = {"Vgg": 512, "ResNet": 2048}


def _pool(backbone: Model, hidden: int, out: int) -> Model:
    return {
        "type": "GlobalPooling",
        "inplanes": (7, 7),
        "pool_plane": (2, 2),
        "inter_channels": [_CHANNELS[backbone["type"]], hidden],
        "outchannels": out,
    }


def _around_landmarks(backbone: Model, size: int) -> Model:
    return {
        "roi_pool": {
            "type": "RoIPooling",
            "pool_plane": (2, 2),
            "inter_channels": _CHANNELS[backbone["type"]],
            "outchannels": size,
            "crop_size": 7,
            "img_size": (224, 224),
            "num_lms": 8,
        },
        "concat": {"type": "Concat", "inchannels": 2 * size, "outchannels": size},
    }


def _attributes(size: int, count: int) -> Model:
    return {"type": "AttrPredictor", "inchannels": size, "outchannels": count}


def _predictor(
    kind: str,
    backbone: Model,
    *,
    attributes: int,
    categories: int = 0,
    hidden: int = 4096,
    size: int = 4096,
) -> Model:
    model = {
        "type": kind,
        "backbone": backbone,
        "global_pool": _pool(backbone, hidden, size),
        "attr_predictor": _attributes(size, attributes),
    }
    if kind.startswith("RoI"):
        model |= _around_landmarks(backbone, size)
    if categories:
        model["cate_predictor"] = {
            "type": "CatePredictor",
            "inchannels": size,
            "outchannels": categories,
        }
    return model


def _retriever(kind: str, backbone: Model, *, attributes: int = 463, items: int = 7982) -> Model:
    model = {
        "type": kind,
        "backbone": backbone,
        "global_pool": _pool(backbone, 4096, 4096),
        "embed_extractor": {
            "type": "EmbedExtractor",
            "inchannels": 4096,
            "inter_channels": [256, items],
        },
        "attr_predictor": _attributes(4096, attributes) if attributes else None,
    }
    return model | _around_landmarks(backbone, 4096) if kind.startswith("RoI") else model


def _landmark_detector(backbone: Model) -> Model:
    return {
        "type": "LandmarkDetector",
        "backbone": backbone,
        "global_pool": _pool(backbone, 4096, 4096),
        "landmark_feature_extractor": {
            "type": "LandmarkFeatureExtractor",
            "inchannels": 4096,
            "feature_dim": 256,
            "landmarks": 8,
        },
        "visibility_classifier": {
            "type": "VisibilityClassifier",
            "inchannels": 256,
            "outchannels": 2,
            "landmark_num": 8,
        },
        "landmark_regression": {
            "type": "LandmarkRegression",
            "inchannels": 256,
            "outchannels": 2,
            "landmark_num": 8,
        },
    }


def _recommender(*, normalised: bool) -> Model:
    return {
        "type": "TypeAwareRecommender",
        "backbone": {"type": "ResNet", "setting": "resnet18"},
        "global_pool": {
            "type": "GlobalPooling",
            "inplanes": (7, 7),
            "pool_plane": (2, 2),
            "inter_channels": [512],
            "outchannels": 256,
        },
        "type_specific_net": {
            "type": "TypeSpecificNet",
            "learned": normalised,
            "n_conditions": 66,
            "use_fc": not normalised,
            "l2_embed": normalised,
            "dim_embed": 256,
        },
        "triplet_net": {
            "type": "TripletNet",
            "text_feature_dim": 6000,
            "embed_feature_dim": 256,
            "learned_metric": not normalised,
        },
    }


_GMM: Model = {
    "type": "GeometricMatching",
    "feature_extractor_a": {
        "type": "FeatureExtractor",
        "in_channels": 22,
        "ngf": 64,
        "n_layers": 3,
    },
    "feature_extractor_b": {"type": "FeatureExtractor", "in_channels": 3, "ngf": 64, "n_layers": 3},
    "feature_norm": {"type": "FeatureNorm", "eps": 1e-6},
    "feature_correlation": {"type": "FeatureCorrelation"},
    "feature_regression": {
        "type": "FeatureRegression",
        "in_channels": 192,
        "out_channels": 18,
        "inter_channels": (512, 256, 128, 64),
    },
    "tps_warp": {
        "type": "TPSWarp",
        "out_h": 256,
        "out_w": 192,
        "use_regular_grid": True,
        "grid_size": 3,
        "reg_factor": 0,
    },
}
_TOM: Model = {
    "type": "Tryon",
    "ngf": 64,
    "num_downs": 6,
    "in_channels": 25,
    "out_channels": 4,
    "down_channels": (8, 8),
    "inter_channels": (8, 8),
    "up_channels": [[4, 8], [2, 4], [1, 2]],
}

CONFIGS: dict[str, Model] = {
    "attribute_predict_coarse/global_predictor_resnet_attr": _predictor(
        "GlobalPredictor", _RESNET, attributes=1000
    ),
    "attribute_predict_coarse/global_predictor_vgg_attr": _predictor(
        "GlobalPredictor", _VGG, attributes=1000
    ),
    "attribute_predict_coarse/roi_predictor_resnet_attr": _predictor(
        "RoIPredictor", _RESNET, attributes=1000
    ),
    "attribute_predict_coarse/roi_predictor_vgg_attr": _predictor(
        "RoIPredictor", _VGG, attributes=1000
    ),
    "attribute_predict_coarse/roi_predictor_vgg_inshop": _predictor(
        "RoIPredictor", _VGG, attributes=463
    ),
    "category_attribute_predict/global_predictor_resnet": _predictor(
        "GlobalAttrCatePredictor", _RESNET, attributes=26, categories=50, hidden=1024, size=2048
    ),
    "category_attribute_predict/global_predictor_vgg": _predictor(
        "GlobalAttrCatePredictor", _VGG, attributes=26, categories=50, hidden=1024, size=1024
    ),
    "category_attribute_predict/roi_predictor_resnet": _predictor(
        "RoIAttrCatePredictor", _RESNET, attributes=26, categories=50, hidden=1024, size=2048
    ),
    "category_attribute_predict/roi_predictor_vgg": _predictor(
        "RoIAttrCatePredictor", _VGG, attributes=26, categories=50, hidden=1024, size=1024
    ),
    "fashion_recommendation/type_aware_recommendation_polyvore_disjoint": _recommender(
        normalised=False
    ),
    "fashion_recommendation/type_aware_recommendation_polyvore_disjoint_l2_embed": _recommender(
        normalised=True
    ),
    "landmark_detect/landmark_detect_resnet": _landmark_detector(_RESNET),
    "landmark_detect/landmark_detect_vgg": _landmark_detector(_VGG),
    "retriever_consumer_to_shop/roi_retriever_vgg": _retriever(
        "RoIRetriever", _VGG, attributes=303, items=33881
    ),
    "retriever_in_shop/global_retriever_resnet": _retriever("GlobalRetriever", _RESNET),
    "retriever_in_shop/global_retriever_vgg": _retriever("GlobalRetriever", _VGG),
    "retriever_in_shop/global_retriever_vgg_loss_id": _retriever(
        "GlobalRetriever", _VGG, attributes=0
    ),
    "retriever_in_shop/global_retriever_vgg_loss_id_triplet": _retriever(
        "GlobalRetriever", _VGG, attributes=0
    ),
    "retriever_in_shop/roi_retriever_resnet": _retriever("RoIRetriever", _RESNET),
    "retriever_in_shop/roi_retriever_resnet_loss_id_triplet": _retriever(
        "RoIRetriever", _RESNET, attributes=0
    ),
    "retriever_in_shop/roi_retriever_vgg": _retriever("RoIRetriever", _VGG),
    "retriever_in_shop/roi_retriever_vgg_loss_id": _retriever("RoIRetriever", _VGG, attributes=0),
    "retriever_in_shop/roi_retriever_vgg_loss_id_triplet": _retriever(
        "RoIRetriever", _VGG, attributes=0
    ),
    "virtual_tryon/cp_vton/GMM": _GMM,
    "virtual_tryon/cp_vton/TOM": _TOM,
}
