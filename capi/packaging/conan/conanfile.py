"""weir for Conan 2: `conan create capi/packaging/conan` in a checkout."""

import os

from conan import ConanFile
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy
from conan.tools.gnu import PkgConfigDeps


class WeirConan(ConanFile):
    name = "weir"
    version = "0.1.0"
    description = "Embeddable policy engine for LLM gateways"
    license = "MIT"
    topics = ("llm", "gateway", "rate-limiting", "tokenizer")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {
        "fPIC": [True, False],
        "codings": [True, False],
        "normalization": [True, False],
    }
    default_options = {"fPIC": True, "codings": True, "normalization": True}

    def export_sources(self):
        root = os.path.join(self.recipe_folder, "..", "..", "..")
        for pattern in ("CMakeLists.txt", "LICENSE", "include/*", "lib/*", "capi/*"):
            copy(self, pattern, root, self.export_sources_folder, excludes="capi/packaging/conan/*")

    def layout(self):
        cmake_layout(self)

    def requirements(self):
        self.requires("abseil/[>=20220623.0]", transitive_headers=True)
        self.requires("openssl/[>=3 <4]")
        if self.options.codings:
            self.requires("zlib/[>=1.2.11 <2]")
            self.requires("brotli/[>=1.0 <2]")
            self.requires("zstd/[>=1.4 <2]")
        if self.options.normalization:
            self.requires("utf8proc/[>=2.7 <3]")

    def build_requirements(self):
        self.tool_requires("cmake/[>=3.25]")
        self.tool_requires("pkgconf/[>=2]")

    def generate(self):
        CMakeDeps(self).generate()
        PkgConfigDeps(self).generate()
        toolchain = CMakeToolchain(self)
        for name in ("TESTS", "BENCH", "EXAMPLES", "BINDINGS"):
            toolchain.cache_variables[f"WEIR_BUILD_{name}"] = False
        toolchain.cache_variables["WEIR_WERROR"] = False
        toolchain.cache_variables["WEIR_WITH_SENTENCEPIECE"] = False
        for name in ("ZLIB", "BROTLI", "ZSTD"):
            toolchain.cache_variables[f"WEIR_WITH_{name}"] = bool(self.options.codings)
        toolchain.cache_variables["WEIR_WITH_UTF8PROC"] = bool(self.options.normalization)
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "weir")
        self.cpp_info.components["weir"].libs = ["weir"]
        self.cpp_info.components["weir"].set_property("cmake_target_name", "weir::weir")
        core = self.cpp_info.components["core"]
        core.libs = ["weir_core"]
        core.set_property("cmake_target_name", "weir::core")
        core.requires = ["abseil::abseil", "openssl::crypto"]
        if self.options.codings:
            core.requires += ["zlib::zlib", "brotli::brotlidec", "zstd::zstd"]
        if self.options.normalization:
            core.requires += ["utf8proc::utf8proc"]
