"""Started as `python -X utf8 <folder>/plumbline_luigi`, with the request on standard input.

Only the process that was started so does anything here: multiprocessing's forkserver and spawn import this module again.
This file, and what it imports before the version is checked, must be readable by every Python 3.
"""

import os
import sys


def use_working_directory():
    """Makes `sys.path` that of `python -m luigi`, with this package findable behind everything else.

    Python puts the folder it was given first, where our file names would hide the user's modules.
    """
    package = os.path.dirname(os.path.abspath(__file__))
    if sys.path and os.path.realpath(sys.path[0]) == os.path.realpath(package):
        del sys.path[0]
        if not getattr(sys.flags, "safe_path", False):
            sys.path.insert(0, os.getcwd())
    parent = os.path.dirname(package)
    if parent not in sys.path:
        sys.path.append(parent)


def main():
    use_working_directory()
    from plumbline_luigi.request import RequestError, read_request
    from plumbline_luigi.supervisor import supervise

    try:
        request = read_request(sys.stdin.buffer.read())
    except RequestError as error:
        sys.stderr.write("plumbline_luigi: the request cannot be used: %s\n" % error)
        sys.exit(64)
    status = supervise(request)
    if status is not None:
        sys.exit(status)
    # From here on this is the worker: the supervisor's child.
    from plumbline_luigi.refusal import Refusal, check_python, refuse

    try:
        check_python()
    except Refusal as refusal:
        refuse(request, refusal)
    from plumbline_luigi.run import run

    run(request)


if __name__ == "__main__":
    main()
