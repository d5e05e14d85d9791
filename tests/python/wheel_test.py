"""pip install of the binding into a fresh environment; with WEIR_LONG only, as it builds all of the
library and asks a package index for scikit-build-core and cffi."""

import os
import pathlib
import subprocess
import sys
import tempfile

from support import LONG, ROOT

CHECK = ("import weir; "
         "assert weir.count_tokens('gpt-4o', 'How do I say hello?') == 6; "
         "assert weir.Tokenizer('o200k_base').count('') == 0")

if not LONG:
    print("skipped: builds the whole library: WEIR_LONG=1")
    sys.exit(77)
with tempfile.TemporaryDirectory() as folder:
    environment = pathlib.Path(folder) / "environment"
    python = str(environment / "bin/python")
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, "-m", "venv", environment], check=True, env=clean)
    subprocess.run([python, "-m", "pip", "install", ROOT / "bindings/python"], check=True,
                   env=clean)
    subprocess.run([python, "-c", CHECK], check=True, cwd=folder, env=clean)
print("installed and used")
