"""Many replicas, one bucket, and everything that can go wrong between them, from one seed.

Whatever happens in a run is decided by one ``random.Random(seed)``: who runs next, which request
fails and how, which process dies where and what is left of its disk. So a seed that fails once
fails always, and ``python -m tests.simulation --seed 123 --trace`` tells its story.
"""
