"""A server that speaks the documented forms of TF Serving, for a function of images."""

import contextlib
import json
import threading
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import numpy as np

from vpr_tf.extraction.engines.serving_messages import (
    PredictRequest,
    PredictResponse,
    read_array,
    write_array,
)


class _RefusedError(Exception):
    """A status of HTTP, a code of gRPC and what the server says."""

    def __init__(self, status, code, text):
        super().__init__(text)
        self.status, self.code, self.text = status, code, text


class StandIn:
    """Serves `descriptors` of one model.

    Attributes:
        describe: From images to descriptors.
        num_down: How many requests are answered as by a server that starts.
        denial: Status of HTTP and code of gRPC that all are answered, if not None.
        answer: By REST, bytes instead of descriptors, if not None.
        batches: Shapes of the images that came.
    """

    def __init__(self, describe, name="city"):
        self.describe, self.name = describe, name
        self.num_down, self.batches = 0, []
        self.denial = self.answer = None

    def predict(self, name, version, signature, images):
        if self.num_down:
            self.num_down -= 1
            raise _RefusedError(503, grpc.StatusCode.UNAVAILABLE, "loading")
        if self.denial:
            raise _RefusedError(*self.denial, "denied")
        if name != self.name or version not in ("", "1"):
            text = f"Servable not found for request: Specific({name}, {version})"
            raise _RefusedError(404, grpc.StatusCode.NOT_FOUND, text)
        self.batches.append(images.shape)
        try:
            assert signature == "descriptors"
            return np.asarray(self.describe(images), np.float32)
        except Exception as error:
            text = f"INVALID {error}"
            code = grpc.StatusCode.INVALID_ARGUMENT
            raise _RefusedError(400, code, text) from error


@contextlib.contextmanager
def rest_server(stand_in):
    """Yields host and port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            model, _, verb = self.path.removeprefix("/v1/models/").partition(":")
            name, _, version = model.partition("/versions/")
            images = np.array(body["instances"], np.float32)
            try:
                assert verb == "predict"
                found = stand_in.predict(name, version, body["signature_name"], images)
                status, answer = 200, {"predictions": found.tolist()}
            except _RefusedError as error:
                status, answer = error.status, {"error": error.text}
            self.send_response(status)
            self.end_headers()
            self.wfile.write(stand_in.answer or json.dumps(answer).encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def grpc_server(stand_in):
    """Yields host and port."""

    def predict(request, context):
        spec = request.model_spec
        version = str(spec.version.value) if spec.HasField("version") else ""
        images = read_array(request.inputs["images"])
        try:
            found = stand_in.predict(spec.name, version, spec.signature_name, images)
        except _RefusedError as error:
            context.abort(error.code, error.text)
        response = PredictResponse()
        write_array(response.outputs["descriptors"], found)
        return response

    handler = grpc.unary_unary_rpc_method_handler(
        predict,
        request_deserializer=PredictRequest.FromString,
        response_serializer=lambda response: response.SerializeToString(),
    )
    service = "tensorflow.serving.PredictionService"
    generic = grpc.method_handlers_generic_handler(service, {"Predict": handler})
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((generic,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


SERVERS = {
    "http": (rest_server, "http://{}/v1/models/{}"),
    "grpc": (grpc_server, "grpc://{}/{}"),
}
