"""Does kube-proxy run, and what does it say?"""
