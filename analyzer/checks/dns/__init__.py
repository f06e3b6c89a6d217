"""Does its name resolve?"""
