"""Faults while a command works: is anything lost, and does the next run make it good?

    python -m benchmarks.faults [--operations train ...] [--faults kill ...]
        [--count 100]

Each trial starts a command on small data, does it harm, and runs the same command again
without. What it must leave in the end are the files of an undisturbed run, byte by
byte, or the same losses and recalls. In between, an index must be in its old or its
new state and pass `vpr index verify`; a command that notices the fault must say so in
one error, without a traceback.

kill         SIGKILL at a random moment, again and again until the command is done
disk_full    the file system (a small tmpfs, so by root only) is full in between
read_only    the file system cannot be written
memory       no more address space than a random share of what the command needs
clock_back   the clock is set back a year between a kill and the next run
two_writers  the same command twice at once
rename       renaming fails, or is reported as failed when it was done, as by NFS

The trials depend on the seed and the number alone, but for the time that commands take.
`counts.json` of the output holds what was done; a call goes on where it was stopped.
"""
