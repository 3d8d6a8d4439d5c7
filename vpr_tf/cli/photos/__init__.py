"""`vpr photos`: photos before anything is built on them."""
