"""What computes descriptors, of commands that describe photos."""

from __future__ import annotations

import argparse

from vpr_tf.cli.words import told_to_user


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Adds `--engine` and `--encoder-url`, of commands that describe photos."""
    engines = parser.add_mutually_exclusive_group()
    engines.add_argument(
        "--engine",
        type=_installed_engine,
        metavar="ENGINE",
        help="what computes descriptors: tensorflow, onnxruntime, openvino or litert; "
        "default: what the config says, else tensorflow, or that of an export",
    )
    engines.add_argument(
        "--encoder-url",
        type=_encoder_url,
        metavar="URL",
        help="a server computes the descriptors: http(s)://HOST:PORT/v1/models/NAME or "
        "grpc(s)://HOST:PORT/NAME of TF Serving, which serves the same encoder",
    )


@told_to_user
def _installed_engine(text: str) -> str:
    from vpr_tf.extraction.engines import check_installed

    check_installed(text)
    return text


@told_to_user
def _encoder_url(text: str) -> str:
    from vpr_tf.extraction.served_address import ServedAddress

    ServedAddress.parse(text)
    return text
