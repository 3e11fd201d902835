"""How far an import is: counted in its row, which whoever works on it locks."""

from collections.abc import Collection

from django.db.models import F

from retrieval.importing.cells import Problem
from retrieval.models import CatalogueImport, ImportProblem

# More would help nobody: the page shows so many, and the first ones explain the others.
MOST_PROBLEMS = 1000


class TakenOver(Exception):
    """Somebody else works on the import, or it was cancelled."""


def lock(run: CatalogueImport) -> None:
    """Raises TakenOver where the row is no longer as this part left it."""
    locked = CatalogueImport.objects.select_for_update(of=("self",)).filter(id=run.id).first()
    here = (run.state, run.rows_done, run.photos_done)
    if locked is None or (locked.state, locked.rows_done, locked.photos_done) != here:
        raise TakenOver


def move_on(run: CatalogueImport, **numbers: int) -> None:
    """Add to the counters, in the row and in this object; the row is locked."""
    CatalogueImport.objects.filter(id=run.id).update(
        **{name: F(name) + number for name, number in numbers.items()}
    )
    for name, number in numbers.items():
        setattr(run, name, getattr(run, name) + number)


def note_problems(run: CatalogueImport, problems: Collection[tuple[int, Problem]]) -> None:
    """The first thousand are kept; all are counted by the caller."""
    if not problems:
        return
    room = MOST_PROBLEMS - ImportProblem.objects.filter(catalogue_import=run).count()
    ImportProblem.objects.bulk_create(
        [
            ImportProblem(
                tenant_id=run.tenant_id,
                catalogue_import=run,
                row=number,
                field=problem.field,
                value=problem.value[:200],
                detail=problem.detail[:300],
            )
            for number, problem in list(problems)[: max(room, 0)]
        ],
        ignore_conflicts=True,
    )
