"""Figures for Prometheus: of one process and of several."""

import subprocess
import sys

from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from tests.vpr_tf.serving.samples import photo
from vpr_tf.place_index import PlaceIndex
from vpr_tf.serving import ServiceSettings, create_app, metrics
from vpr_tf.serving.key_file import add_key


def figures(text):
    return {
        (one.name, *one.labels.values()): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_requests_are_counted_by_route_and_none_is_named(client, city):
    route = "/v1/indexes/{name}/photos/{key:path}/thumbnail"
    before = figures(client.get("/metrics").text)
    client.get("/v1/indexes/city/photos/my_house.jpg/thumbnail")
    client.get("/my_house.jpg", headers={"Host": "evil.example"})
    metrics.count_photos("withheld", 3)
    metrics.set_queued(2)
    metrics.observe_batch(3)
    metrics.observe_step(metrics.SEARCH, 0.02)
    PlaceIndex.open(city).remove(keys=["a.jpg"])

    answer = client.get("/metrics")
    after = figures(answer.text)

    def more(*name):
        return after[name] - before.get(name, 0)

    assert more("vpr_requests_total", route, "404") == 1
    assert more("vpr_requests_total", "(no route)", "400") == 1
    assert more("vpr_request_seconds_count", route) == 1
    assert more("vpr_photos_total", "withheld") == 3
    assert more("vpr_batch_photos_sum") == 3
    assert more("vpr_step_seconds_count", "search") == 1
    assert after["vpr_queued_photos",] == 2
    assert after["vpr_index_photos", "city"] == 2
    assert more("vpr_index_generation", "city") == 1
    assert "my_house" not in answer.text


def test_keys_open_the_figures_to_their_role_only(city, tmp_path):
    file = tmp_path / "keys.json"
    keys = {role: add_key(file, role, role, 60) for role in ("query", "metrics")}
    with TestClient(create_app(ServiceSettings({"city": city}, key_file=file))) as app:
        for role, status in (("query", 403), ("metrics", 200)):
            headers = {"Authorization": f"Bearer {keys[role]}"}
            assert app.get("/metrics", headers=headers).status_code == status
        assert app.get("/metrics").status_code == 401


def test_one_process_answers_for_all(tmp_path):
    code = (
        "from vpr_tf.serving import metrics\n"
        "metrics.count_photos('outside', 2)\n"
        "metrics.set_queued(1)\n"
        "print(metrics.metrics_text().decode())\n"
    )
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": "."}
    texts = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    ]
    assert figures(texts[1])["vpr_photos_total", "outside"] == 4


def test_photos_and_steps_of_localizing_are_counted(client):
    def read():
        return figures(client.get("/metrics").text)

    before = read()
    files = [("photos", ("a.jpg", photo(1))), ("photos", ("b.jpg", b"no photo"))]
    assert client.post("/v1/localize", files=files).status_code == 200
    after = read()
    for name in (
        *(("vpr_photos_total", "unreadable"), ("vpr_step_seconds_count", "search")),
        *(("vpr_step_seconds_count", "describe"), ("vpr_batch_photos_sum",)),
    ):
        assert after[name] - before.get(name, 0) == 1, name
    photos = [value for name, value in after.items() if name[0] == "vpr_photos_total"]
    past = [value for name, value in before.items() if name[0] == "vpr_photos_total"]
    assert sum(photos) - sum(past) == 2
    assert after["vpr_queued_photos",] == 0
