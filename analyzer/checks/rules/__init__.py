"""Does kube-proxy write the right rules?"""
