"""Can a pod reach itself through its Service?"""
