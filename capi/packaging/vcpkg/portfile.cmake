# An overlay port: vcpkg install weir --overlay-ports=capi/packaging. It builds the checkout that it
# lies in.

get_filename_component(SOURCE_PATH "${CURRENT_PORT_DIR}/../../.." ABSOLUTE)

set(options -DWEIR_WITH_ZLIB=OFF -DWEIR_WITH_BROTLI=OFF -DWEIR_WITH_ZSTD=OFF
  -DWEIR_WITH_UTF8PROC=OFF -DWEIR_WITH_SENTENCEPIECE=OFF)
if("codings" IN_LIST FEATURES)
  list(APPEND options -DWEIR_WITH_ZLIB=ON -DWEIR_WITH_BROTLI=ON -DWEIR_WITH_ZSTD=ON)
endif()
if("normalization" IN_LIST FEATURES)
  list(APPEND options -DWEIR_WITH_UTF8PROC=ON)
endif()
if("sentencepiece" IN_LIST FEATURES)
  list(APPEND options -DWEIR_WITH_SENTENCEPIECE=ON)
endif()

vcpkg_find_acquire_program(PKGCONFIG)
vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS ${options} "-DPKG_CONFIG_EXECUTABLE=${PKGCONFIG}" -DWEIR_WERROR=OFF
    -DWEIR_BUILD_TESTS=OFF -DWEIR_BUILD_BENCH=OFF -DWEIR_BUILD_EXAMPLES=OFF
    -DWEIR_BUILD_BINDINGS=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/weir)
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
file(INSTALL "${CURRENT_PORT_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
