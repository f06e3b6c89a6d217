"""The one exception root of svcbundle, caught once, in the command line."""


class SvcbundleError(Exception):
    """Something that the user can put right; its text names the place and what was expected."""


class BundleUnreadableError(SvcbundleError):
    """The input as a whole is no bundle or cannot be read (exit status 3)."""


class UsageError(SvcbundleError):
    """The command was asked for something that does not make sense (exit status 2)."""


class NothingCollectedError(SvcbundleError):
    """There is nothing that a bundle could be made of (exit status 3)."""
