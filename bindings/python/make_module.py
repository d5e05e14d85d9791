"""make_module.py OUT.c [INCLUDE_DIR]: the C source of the extension module weir._weir.

Declarations come from weir.h (by bindings/declarations.py) and from boundary.h; the C compiler
checks them against the headers when it compiles the result.
"""

import importlib.util
import pathlib
import sys

import cffi

HERE = pathlib.Path(__file__).resolve().parent


def load_declarations():
    path = HERE.parent / "declarations.py"
    spec = importlib.util.spec_from_file_location("declarations", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main():
    declarations = load_declarations()
    include = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else (
        HERE.parent.parent / "capi" / "include")
    boundary = declarations.without_comments((HERE / "boundary.h").read_text(encoding="utf-8"))
    builder = cffi.FFI()
    builder.cdef(declarations.render("cffi", include))
    builder.cdef(declarations.declarations_of(boundary, []))
    builder.set_source("weir._weir", '#include "boundary.h"\n')
    builder.emit_c_code(sys.argv[1])


if __name__ == "__main__":
    main()
