"""kill -9 of PostgreSQL right after clients were told results: what it forgot is made again."""

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from subprocess import run

import httpx
import pytest

from tests.running_house import ROOT, House, run_house
from tests.test_faults import PENDING, POSTGRES, has_new_process, make_photos

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]
MAKE_KEY = """
from django.utils import timezone
from accounts import keys
from accounts.models import Membership
owner = Membership.objects.get(user__email="demo@kalas.example", role="owner")
new = keys.create_key(
    tenant=owner.tenant, by=owner, name="test", scopes=["annotate"], now=timezone.now()
)
print(new.token)
"""


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with run_house(demo=True) as running:
        yield running


def test_a_client_s_results_survive_the_database(house: House):
    key = make_key(house.var)
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=house.url, headers=headers, timeout=60, trust_env=False) as client:
        told = []
        for name, photo in make_photos(4):
            answer = client.post("/api/v1/annotations/?wait=2", files={"image": (name, photo)})
            killed = house.kill(POSTGRES)
            assert answer.status_code == 201
            told.append(answer.json())
            house.wait_until(
                partial(is_back, house, killed), timeout_s=90, what="the database is back"
            )
        house.wait_until(
            lambda: house.count(PENDING) == 0, timeout_s=180, what="what was lost is there again"
        )
        for result in told:
            again = client.get(f"/api/v1/annotations/{result['id']}/").json()
            assert again["state"] == result["state"]
            assert list(map(name_garment, again["garments"])) == list(
                map(name_garment, result["garments"])
            )
            assert client.get(result["image"]["url"]).status_code == 200


def is_back(house: House, killed: int) -> bool:
    return has_new_process(house, POSTGRES, killed) and house.is_ready()


def name_garment(garment):
    return garment["id"], garment["category"]["name"], garment["box"], garment["attributes"]


def make_key(var: Path) -> str:
    command = [sys.executable, "-W", "ignore", "manage.py", "shell", "-v", "0", "-c", MAKE_KEY]
    environment = {"KALAS_VAR": str(var), "PATH": "/usr/bin:/bin"}
    made = run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return made.stdout.split()[-1]
