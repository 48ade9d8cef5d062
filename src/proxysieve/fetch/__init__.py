"""RUNS the main job: URLs in, pages out, nothing lost."""
