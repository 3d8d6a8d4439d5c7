"""A server on this machine that counts who connects and answers nothing."""

import contextlib
import socket
import threading


class CountingServer:
    """Listens on a port of its own; `connections` counts."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.connections = 0
        self.uri = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                connection.close()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
