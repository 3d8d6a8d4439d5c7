"""The service: photos in by HTTP, localizations out, and a page with a map.

`create_app` makes the ASGI application of some indexes. Needs the extra `serve`.
"""

from typing import TYPE_CHECKING

from vpr_tf._lazy import lazy_names

if TYPE_CHECKING:
    from vpr_tf.serving.app import create_app
    from vpr_tf.serving.settings import ServiceError, ServiceSettings

__all__ = ["ServiceError", "ServiceSettings", "create_app"]
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "ServiceError": "vpr_tf.serving.settings",
        "ServiceSettings": "vpr_tf.serving.settings",
        "create_app": "vpr_tf.serving.app",
    },
)
