"""Recognizes programs of Python 2, which no mend can run."""

import re

__all__ = ["why_python_2"]

#: Names and modules that Python 3 has elsewhere.
_GONE = set(
    """xrange unicode basestring raw_input unichr long reduce cmp execfile reload cPickle cStringIO StringIO urllib2
    urlparse ConfigParser Queue Tkinter tkMessageBox HTMLParser httplib cookielib SocketServer commands __builtin__
    itertools.izip izip imap""".split()
)


def why_python_2(error: BaseException) -> str | None:
    """Tell a program of Python 2 by the exception that ended it.

    Parameters
    ----------
    error : Exception

    Returns
    -------
    str or None
        What only Python 2 has, in a clause; None where the exception has other reasons.

    Examples
    --------
    >>> from mnist_cnn.compat.python2 import why_python_2
    >>> why_python_2(NameError("name 'xrange' is not defined", name="xrange"))
    "it is a program of Python 2: 'xrange'"
    >>> why_python_2(NameError("name 'x' is not defined", name="x"))
    """
    if isinstance(error, SyntaxError):
        python_2 = re.search(
            "Missing parentheses in call|multiple exception types must be|leading zeros in decimal|"
            "invalid decimal literal|invalid hexadecimal literal|inconsistent use of tabs",
            str(error),
        ) or re.search(r"^\s*(print\s+[^(=]|exec\s|raise\s+\w+\s*,|except\s.*,.*:)|`|<>|\bur[\"']", error.text or "")
        return "it is a program of Python 2: {}".format(error.msg) if python_2 else None
    match = re.search(r"(?:name|module named|cannot import name) '([\w.]+)'", str(error))
    if match and match.group(1) in _GONE:
        return "it is a program of Python 2: {!r}".format(match.group(1))
    return None
