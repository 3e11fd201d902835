"""Which pipeline answers for a choice: kalas-mini's, or that of an imported family."""

from concurrent.futures import Executor
from pathlib import Path

from inference import pipeline
from inference.etryon import engine as etryon
from inference.etryon.engine import EtryonPipeline
from inference.mmfashion import engine
from inference.mmfashion.engine import FamilyPipeline
from inference.pipeline import Pipeline

AnyPipeline = Pipeline | FamilyPipeline | EtryonPipeline


def load(
    choice: str,
    *,
    device: str = "",
    cache: Path | None = None,
    decoders: Executor | None = None,
    store: Path | None = None,
) -> AnyPipeline:
    """`store`: where imported models lie. Raises UnknownModel, BadWeights."""
    if store is not None and engine.is_family(choice, store=store):
        return engine.load(choice, store=store, device=device)
    if store is not None and etryon.is_family(choice, store=store):
        return etryon.load(choice, store=store, device=device)
    return pipeline.load(choice, device=device, cache=cache, decoders=decoders)
