"""What a stranger may give, by the hundred thousand, and what must never come of it.

    python -m benchmarks.hostile
    python -m benchmarks.hostile --kinds pickles images --count 1000 --seed 1
    python -m benchmarks.hostile --only pickles:1234

Every input follows from seed, kind and number alone. It lies in `input/`, beside
`outside/` with what must never be touched. Whatever reads it may refuse it by its
documented errors, or accept it. Everything else is a finding, whose files and reason
are kept in `--output`:

- another error than the documented ones, too much time or memory, a crash: each kind
  runs in processes of its own, so that a crash is seen;
- anything in `outside/` opened, changed, made or deleted, by Python or by a library
  (inotify); a file anywhere else opened that is none of the program's own, a program
  started, a connection made, a pickle's name looked up (audit events);
- what was accepted in silence though it cannot be, by the oracle of the kind.

The oracle for folders (index, dataset, saved search): a stranger can make an honest
folder of any content and give it any checksums, so a changed value is allowed content
as long as the folder is consistent. It is accepted in silence, and a finding, if what
is read back is no possible content (positions out of range, numbers not finite, other
types than declared, counts that differ between manifest and arrays), or if what is
found is not what the folder itself holds (a match that was removed or is not there,
another distance than that of the stored descriptors, a nearer one left out by an exact
search). With the checksums left as they were, only the answers of the original are
right.
"""
