"""Do its pods work?"""
