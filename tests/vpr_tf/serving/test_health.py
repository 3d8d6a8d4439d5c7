"""The service begins, says so, and lets go of its indexes."""

import numpy as np
import pytest
from fastapi.testclient import TestClient

from vpr_tf.place_index import PlaceIndex
from vpr_tf.serving import ServiceError, ServiceSettings, create_app


def test_service_is_ready_while_it_runs(city):
    app = create_app(ServiceSettings({"city": city}))

    with TestClient(app) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/readyz").status_code == 200
        service = app.state.service
    assert not service.is_ready


def test_unknown_path_is_a_problem_document(city):
    app = create_app(ServiceSettings({"city": city}))

    with TestClient(app) as client:
        answer = client.get("/v1/nothing")

    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code == 404


def test_service_without_index_is_refused():
    with pytest.raises(ServiceError, match="needs an index"):
        ServiceSettings({})


def test_index_without_encoder_is_refused_at_start(tmp_path):
    PlaceIndex.create(tmp_path / "city", descriptors=np.eye(3)).close()
    app = create_app(ServiceSettings({"city": tmp_path / "city"}))
    with pytest.raises(ServiceError, match=r"'city' cannot be served.*not known"):
        TestClient(app).__enter__()
