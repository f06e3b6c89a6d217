"""svcbundle: why a Kubernetes Service does not answer, from a bundle, with file and line as proof."""

__version__ = "0.1.0"
