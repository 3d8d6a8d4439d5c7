"""`vpr keys`: who may ask a service."""
