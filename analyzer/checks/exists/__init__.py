"""Does the Service exist, and is it meant for kube-proxy?"""
