"""The one exception a person is meant to read."""


class T3DError(ValueError):
    """A fault in the data, the settings or the weights that the user can mend.

    The message names the case or file, the value that was found and the remedy, in one or two sentences.
    It never quotes report text.
    """
