"""`vpr index`: a movable index of photos."""
