"""Is its spec right?"""
