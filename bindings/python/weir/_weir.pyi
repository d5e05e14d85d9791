"""The extension module that cffi makes of weir.h and boundary.h."""

from typing import Any

ffi: Any
lib: Any
