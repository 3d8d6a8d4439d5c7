"""A Milvus cluster that is a dict: what the client of one is asked, and answers."""

import numpy as np
import pymilvus

from vpr_tf.search.milvus_client import TimedClient


class FakeCluster:
    """Holds collections as `{name: {"rows": {id: vector}, ...}}`; records calls."""

    def __init__(self):
        self.collections = {}
        self.calls = []
        self.spoil = lambda hits: hits

    def client(self, uri, token="", timeout=None):
        self.calls.append(("connect", {"uri": uri, "token": token}))
        return TimedClient(FakeClient(self))

    def named(self, name):
        return [values for call, values in self.calls if call == name]


class FakeClient:
    def __init__(self, cluster):
        self._cluster = cluster

    def _record(self, call, **values):
        self._cluster.calls.append((call, values))

    def close(self):
        self._record("close")

    def has_collection(self, name, timeout):
        return name in self._cluster.collections

    def drop_collection(self, name, timeout):
        self._record("drop", name=name)
        del self._cluster.collections[name]

    def create_schema(self, **options):
        return pymilvus.MilvusClient.create_schema(**options)

    def create_collection(self, name, schema, timeout):
        description = schema.to_dict()["description"]
        dim = schema.to_dict()["fields"][1]["params"]["dim"]
        self._record("create", name=name, dim=dim)
        self._cluster.collections[name] = {"rows": {}, "description": description}

    def describe_collection(self, name, timeout):
        return {"description": self._cluster.collections[name]["description"]}

    def insert(self, name, rows, timeout):
        self._record("insert", count=len(rows))
        stored = self._cluster.collections[name]["rows"]
        stored.update({row["row"]: row["descriptor"].copy() for row in rows})

    def flush(self, name, timeout):
        self._record("flush")

    def prepare_index_params(self):
        return pymilvus.MilvusClient.prepare_index_params()

    def create_index(self, name, index_params, timeout):
        self._record("create_index", **next(iter(index_params)).to_dict())

    def load_collection(self, name, timeout):
        self._record("load")

    def query(self, name, filter, output_fields, timeout):
        assert output_fields == ["count(*)"]
        return [{"count(*)": len(self._cluster.collections[name]["rows"])}]

    def get(self, name, ids, output_fields, timeout):
        rows = self._cluster.collections[name]["rows"]
        return [{"row": i, "descriptor": rows[i].tolist()} for i in ids if i in rows]

    def search(
        self, name, data, anns_field, limit, output_fields, search_params, timeout
    ):
        self._record(
            "search",
            timeout=timeout,
            queries=len(data),
            limit=limit,
            output_fields=output_fields,
            params=search_params,
        )
        rows = self._cluster.collections[name]["rows"]
        ids = np.array(sorted(rows))
        matrix = np.stack([rows[i] for i in ids])
        answers = []
        for query in data:
            distances = ((matrix - query) ** 2).sum(axis=1)
            order = np.argsort(distances, kind="stable")[:limit]
            hits = [{"row": int(ids[i]), "distance": distances[i]} for i in order]
            answers.append(self._cluster.spoil(hits))
        return answers
