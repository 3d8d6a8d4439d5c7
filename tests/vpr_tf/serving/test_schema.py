"""Whatever the OpenAPI document allows, and what it does not, is never an error."""

import contextlib

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis import GenerationMode
from schemathesis.python import asgi

from vpr_tf.serving import ServiceSettings, create_app

NUM_EXAMPLES = 40  # of each operation, and of each kind of body of it


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # those of the tool
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_request_is_an_error_of_the_service(mode, town, photos_folder):
    app = create_app(ServiceSettings({"town": town}, photos=photos_folder))
    with asgi.get_client(app) as client:
        document = client.get("http://127.0.0.1/openapi.json").json()
        schema = schemathesis.openapi.from_dict(document)
        schema.app = app
        statuses = {}
        for result in schema.get_all_operations():
            operation = result.ok()
            known = {"name": "town"} if "{name}" in operation.path else None
            statuses[operation.label] = asked(operation, mode, client, known)
    assert statuses["POST /v1/localize"]
    if mode == GenerationMode.POSITIVE:
        assert all(statuses.values())
        assert 200 in statuses["GET /v1/indexes/{name}"]


def asked(operation, mode, client, path_parameters):
    """Sends requests of an operation; returns the statuses of their answers."""
    statuses = set()

    @hypothesis.settings(
        max_examples=NUM_EXAMPLES,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(
        operation.as_strategy(generation_mode=mode, path_parameters=path_parameters)
    )
    def send(case):
        answer = case.call(base_url="http://127.0.0.1", session=client)
        assert answer.status_code < 500, (case.as_curl_command(), answer.text)
        statuses.add(answer.status_code)

    # An operation without parameters cannot be asked wrongly.
    with contextlib.suppress(hypothesis.errors.Unsatisfiable):
        send()
    return statuses
