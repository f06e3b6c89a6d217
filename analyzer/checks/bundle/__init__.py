"""Can the bundle be trusted?"""
