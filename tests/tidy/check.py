"""check.py ROOT: every house rule over the whole tree."""

import os
import sys

import rules
import source


def main(root):
    root = os.path.abspath(root)
    files = source.load(root)
    findings = sorted(set(rules.all_findings(files, root)))
    for path, line, what in findings:
        print(f"{path}:{line}: {what}")
    print(f"{len(files)} files, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
