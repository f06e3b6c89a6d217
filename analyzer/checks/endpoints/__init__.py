"""Does it have Endpoints?"""
