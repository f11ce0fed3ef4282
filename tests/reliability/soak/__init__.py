"""Work under faults, and a judge that was not there.

Producers, worker processes and orchestrators work on one queue while a nemesis kills, freezes and cuts
them and their server by a schedule drawn from a seed. Each process writes what it does into a file of its
own, outside the database. At the end all is healed, the queue must drain, and the judge holds the files
and the final tables against the rules in `judge.py`.

    python -m tests.reliability.soak --secs 300 --seed 7

The judge has tests of its own (`test_judge.py`), and the soak must fail when it is run against a queue
whose fence, or whose exclusion of groups, was taken out (`--mutant`): otherwise it would prove nothing.
"""
