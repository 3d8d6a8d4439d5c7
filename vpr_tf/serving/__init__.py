"""The service: photos in by HTTP, localizations out, and a page with a map.

`create_app` makes the ASGI application of some indexes. Needs the extra `serve`.
"""

from typing import TYPE_CHECKING

from vpr_tf._lazy import lazy_names

if TYPE_CHECKING:
    from vpr_tf.serving.app import create_app
    from vpr_tf.serving.origins import allowed_hosts
    from vpr_tf.serving.process_settings import ProcessSettings, bind_socket, url_of
    from vpr_tf.serving.processes import serve
    from vpr_tf.serving.security_headers import tiles_origin
    from vpr_tf.serving.settings import ServiceError, ServiceSettings

__all__ = [
    "ProcessSettings",
    "ServiceError",
    "ServiceSettings",
    "allowed_hosts",
    "bind_socket",
    "create_app",
    "serve",
    "tiles_origin",
    "url_of",
]
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "ProcessSettings": "vpr_tf.serving.process_settings",
        "ServiceError": "vpr_tf.serving.settings",
        "ServiceSettings": "vpr_tf.serving.settings",
        "allowed_hosts": "vpr_tf.serving.origins",
        "bind_socket": "vpr_tf.serving.process_settings",
        "create_app": "vpr_tf.serving.app",
        "tiles_origin": "vpr_tf.serving.security_headers",
        "serve": "vpr_tf.serving.processes",
        "url_of": "vpr_tf.serving.process_settings",
    },
)
