"""A server computes: TF Serving's REST and gRPC, with its documented messages.

The encoder is here, too, and tells what is served: before the first photo is sent, and
again and again, the server describes an image as this machine does, so that another
model on the server is no wrong result.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import time
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from vpr_tf.config import Preprocessing
from vpr_tf.extraction.engines import Forward
from vpr_tf.extraction.engines.comparison import difference
from vpr_tf.extraction.engines.failures import natural_size
from vpr_tf.extraction.errors import EncoderError, ImageSizeError
from vpr_tf.extraction.served_address import ServedAddress
from vpr_tf.printable import printable

SIGNATURE, INPUT, OUTPUT = "descriptors", "images", "descriptors"
_PREDICT = "/tensorflow.serving.PredictionService/Predict"
_TIMEOUT_S = 60.0
_WAITS_S = (0.2, 1.0, 3.0)  # before a request is sent again
_MOST_REQUEST_BYTES = 32 << 20
_JSON_BYTES_A_VALUE = 11
_DECIMALS = 8  # of a value in JSON; float32 has no more below 1
_HTTP_OK, _HTTP_BAD_REQUEST, _HTTP_NOT_FOUND = 200, 400, 404
_HTTP_TRY_AGAIN = (429, 500, 502, 503, 504)
_PROBE_CELLS = 7
_PROBE_EVERY = 16  # images: the default batch is written after it was checked
_NO_ANSWER = (ValueError, TypeError, OverflowError, RecursionError)


class _TryAgainError(Exception):
    """A request that may work later."""


class _RefusedError(Exception):
    """A request whose images the server refuses."""


def computed_precision(encoder: Any, precision: str) -> str:
    """Returns the precision: a server computes in float32.

    Raises:
        EncoderError: It is another.
    """
    if precision != "float32":
        raise EncoderError(
            f"A served encoder computes in float32. Received: {precision}. Set "
            "`evaluation.precision: float32`, or compute on this machine."
        )
    return precision


def compile_forward(preprocessing: Preprocessing, local: Forward, url: str) -> Forward:
    """Returns what sends images to a server.

    Args:
        preprocessing: How images are prepared.
        local: The encoder, as this machine computes it.
        url: See `ServedAddress`.

    Raises:
        EncoderError: No server is there, it serves no such model, or another encoder.
    """
    address = ServedAddress.parse(url)
    send = _rest(address) if address.protocol == "http" else _grpc(address)
    image = _probe(natural_size(preprocessing))
    expected = local(image)
    num_unchecked = 0

    def check() -> None:
        nonlocal num_unchecked
        _check_served(send, address, image, expected)
        num_unchecked = 0

    def forward(images: Any) -> np.ndarray:
        nonlocal num_unchecked
        images = np.asarray(images, np.float32)
        num_unchecked += len(images)
        try:
            descriptors = _in_parts(send, address, images, expected.shape[1])
        except _RefusedError as error:
            check()  # it does not refuse whatever comes
            raise ImageSizeError.of(images, str(error)) from error
        if num_unchecked >= _PROBE_EVERY:
            check()
        return descriptors

    check()
    return forward


def _check_served(
    send: Callable[[np.ndarray], Any],
    address: ServedAddress,
    image: np.ndarray,
    expected: np.ndarray,
) -> None:
    try:
        received = _sent(send, address, image, expected.shape[1])
    except _RefusedError as error:
        raise _refusal(address, str(error)) from error
    text = difference(received[0], expected[0])
    if text:
        raise EncoderError(
            f"{address} must serve the encoder that --model or the index names. "
            f"Received another: its descriptor of an image has the {text}. Export that "
            "encoder by `vpr export`, serve it, and name its version by /versions/N."
        )


def _in_parts(
    send: Callable[[np.ndarray], Any],
    address: ServedAddress,
    images: np.ndarray,
    descriptor_dim: int,
) -> np.ndarray:
    value_bytes = _JSON_BYTES_A_VALUE if address.protocol == "http" else 4
    at_once = max(1, _MOST_REQUEST_BYTES // (images[0].size * value_bytes))
    parts = [
        _sent(send, address, images[start : start + at_once], descriptor_dim)
        for start in range(0, len(images), at_once)
    ]
    return np.concatenate(parts)


def _probe(size: int) -> np.ndarray:
    """Returns an image `(1, size, size, 3)` of random soft spots, always the same."""
    cells = np.random.default_rng(0).random((_PROBE_CELLS, _PROBE_CELLS, 3))
    rows = np.arange(size) * _PROBE_CELLS // size
    return cells[rows][:, rows][None].astype(np.float32)


def _sent(
    send: Callable[[np.ndarray], Any],
    address: ServedAddress,
    images: np.ndarray,
    descriptor_dim: int,
) -> np.ndarray:
    """Sends images, again if the server does not answer; returns their descriptors."""
    for wait_s in (*_WAITS_S, None):
        try:
            descriptors = np.asarray(send(images), np.float32)
            break
        except EncoderError:
            raise
        except _TryAgainError as error:
            if wait_s is None:
                raise EncoderError(
                    f"{address} does not answer, after {len(_WAITS_S) + 1} tries: "
                    f"{printable(str(error))[:300]}. Start the server, or compute on "
                    "this machine without --encoder-url."
                ) from error
            time.sleep(wait_s)
        except _NO_ANSWER as error:
            raise EncoderError(
                f"{address} must answer as TF Serving does. Received: "
                f"{printable(str(error) or type(error).__name__)[:300]}"
            ) from error
    if descriptors.shape != (len(images), descriptor_dim):
        raise EncoderError(
            f"{address} must give descriptors of shape {(len(images), descriptor_dim)}."
            f" Received: {descriptors.shape}. Serve the encoder that --model or the "
            "index names."
        )
    return descriptors


def _not_found(address: ServedAddress, text: str) -> EncoderError:
    return EncoderError(
        f"The server at {address.authority} serves no model {address.model_path[1:]}. "
        f"It says: {printable(text)[:300]}"
    )


def _refusal(address: ServedAddress, text: str) -> EncoderError:
    return EncoderError(
        f"{address} must describe images. Received: {printable(text)[:300]}. See to "
        "the server and what lies before it, or compute on this machine without "
        "--encoder-url."
    )


def _rest(address: ServedAddress) -> Callable[[np.ndarray], Any]:
    """Returns what sends images by REST."""
    path = f"/v1/models{address.model_path}:predict"
    headers = {"Content-Type": "application/json"}

    def connected() -> http.client.HTTPConnection:
        at = (address.host, address.port)
        if not address.is_encrypted:
            return http.client.HTTPConnection(*at, timeout=_TIMEOUT_S)
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(*at, timeout=_TIMEOUT_S, context=context)

    def send(images: np.ndarray) -> Any:
        values = np.round(images.astype(np.float64), _DECIMALS).tolist()
        body = json.dumps({"signature_name": SIGNATURE, "instances": values})
        most = 1 << 20 | len(images) << 20  # of the response: 16,000 numbers an image
        try:
            with contextlib.closing(connected()) as connection:
                connection.request("POST", path, body.encode(), headers)
                response = connection.getresponse()
                text = response.read(most)
        except ssl.SSLCertVerificationError as error:
            raise EncoderError(f"{address} is not who it says: {error}") from error
        except (OSError, http.client.HTTPException) as error:
            raise _TryAgainError(f"{error or type(error).__name__}") from error
        if response.status == _HTTP_OK:
            answer = json.loads(text)
            if not isinstance(answer, dict) or "predictions" not in answer:
                raise ValueError("no `predictions`")
            return answer["predictions"]
        shown = f"{response.status} {text.decode(errors='replace')}"
        if response.status == _HTTP_NOT_FOUND:
            raise _not_found(address, shown)
        if response.status in _HTTP_TRY_AGAIN:
            raise _TryAgainError(shown)
        if response.status == _HTTP_BAD_REQUEST:
            raise _RefusedError(printable(shown)[:500])
        raise _refusal(address, shown)

    return send


def _grpc(address: ServedAddress) -> Callable[[np.ndarray], Any]:
    """Returns what sends images by gRPC."""
    import grpc

    from vpr_tf.extraction.engines.serving_messages import (
        PredictResponse,
        predict_request,
        read_array,
    )

    if address.is_encrypted:
        credentials = grpc.ssl_channel_credentials()
        channel = grpc.secure_channel(address.authority, credentials)
    else:
        channel = grpc.insecure_channel(address.authority)
    predict = channel.unary_unary(
        _PREDICT,
        request_serializer=lambda request: request.SerializeToString(),
        response_deserializer=PredictResponse.FromString,
    )
    status = grpc.StatusCode
    later = (status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.RESOURCE_EXHAUSTED)

    def send(images: np.ndarray) -> Any:
        request = predict_request(
            address.name, address.version, SIGNATURE, {INPUT: images}
        )
        try:
            response = predict(request, timeout=_TIMEOUT_S)
        except grpc.RpcError as error:
            text = f"{error.code().name} {error.details()}"
            if error.code() == status.NOT_FOUND:
                raise _not_found(address, text) from error
            if error.code() in later:
                raise _TryAgainError(text) from error
            if error.code() == status.INVALID_ARGUMENT:
                raise _RefusedError(printable(text)[:500]) from error
            raise _refusal(address, text) from error
        if OUTPUT not in response.outputs:
            raise ValueError(f"the outputs {sorted(response.outputs)}")
        return read_array(response.outputs[OUTPUT])

    weakref.finalize(send, channel.close)
    return send
