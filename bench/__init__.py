"""The project's benchmarks: what an update costs, and against what that is to be judged."""
