"""Does the kernel forward?"""
