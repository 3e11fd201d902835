"""Requests to the API, and what is wrong with them."""

import json

from django.core.files.uploadedfile import SimpleUploadedFile

from annotations.tests.factories import (
    make_photo_bytes,
)

PATH = "/api/v1/annotations/"


def post_file(api, *files, path=PATH, headers=None, **fields):
    uploads = [SimpleUploadedFile("shirt.png", data or make_photo_bytes()) for data in files]
    return api.post(path, {"image": uploads, **fields}, headers=headers)


def post_json(api, path=PATH, headers=None, **fields):
    return api.post(path, json.dumps(fields), content_type="application/json", headers=headers)


def problem_of(response) -> str:
    assert response["Content-Type"] == "application/problem+json", response.content
    return str(response.json()["type"]).rstrip("/").rsplit("/", 1)[-1]


def fields_of(response) -> list[str]:
    assert problem_of(response) == "invalid-request"
    return [error["field"] for error in response.json()["errors"]]
