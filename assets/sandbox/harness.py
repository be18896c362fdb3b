# Runs one answer against its tests, inside the sandbox. The job comes on standard input, so that it is
# no file; the answer's own output goes nowhere. Success is told by the job's secret word, written once
# the tests have passed: an answer that ends the process early has not said it. The word is no name of a
# module: it stands in the frame of main() alone.
import json
import os
import resource
import sys


def run(job):
    space = {"__name__": "answer", "__builtins__": __builtins__}
    exec(compile(job["code"], "answer.py", "exec"), space)
    exec(compile(job["tests"], "tests.py", "exec"), space)
    if job["entry_point"] and callable(space.get("check")):
        space["check"](space[job["entry_point"]])


def main():
    job = json.loads(sys.stdin.buffer.read())
    word = job.pop("word").encode()
    result = os.dup(1)
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    for name, value in job["limits"].items():
        resource.setrlimit(getattr(resource, "RLIMIT_" + name), (value, value))
    write, leave = os.write, os._exit
    try:
        run(job)
    except BaseException as error:
        complaint = "failed: %s: %s" % (type(error).__name__, error)
        write(result, complaint[:500].encode("utf-8", "replace"))
    else:
        write(result, word)
    leave(0)


main()
