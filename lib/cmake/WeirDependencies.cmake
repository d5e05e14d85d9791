# What weir is built from. A parent project that already has a dependency's targets wins.

if(WEIR_STATIC_DEPS)
  set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
  set(OPENSSL_USE_STATIC_LIBS ON)
  list(APPEND PKG_CONFIG_ARGN --static)
endif()

if(NOT TARGET absl::base)
  find_package(absl REQUIRED)
endif()
if(WEIR_STATIC_DEPS)
  get_target_property(kind absl::base TYPE)
  if(NOT kind STREQUAL STATIC_LIBRARY)
    message(FATAL_ERROR "WEIR_STATIC_DEPS: the Abseil in ${absl_DIR} is not one of archives. Build "
      "one with -DCMAKE_POSITION_INDEPENDENT_CODE=ON and name it in CMAKE_PREFIX_PATH.")
  endif()
endif()
if(NOT TARGET OpenSSL::Crypto)
  find_package(OpenSSL REQUIRED COMPONENTS Crypto)
endif()

# RapidJSON is what tests and benchmarks compare with. Headers only; its own CMake config sets a
# variable and exports no target.
if((WEIR_BUILD_TESTS OR WEIR_BUILD_BENCH) AND NOT TARGET weir_rapidjson)
  find_path(WEIR_RAPIDJSON_INCLUDE_DIR rapidjson/reader.h REQUIRED)
  add_library(weir_rapidjson INTERFACE)
  target_include_directories(weir_rapidjson SYSTEM INTERFACE ${WEIR_RAPIDJSON_INCLUDE_DIR})
endif()

# What can be left out, each behind a target weir_<name>. These ship a .pc; not all ship more.
function(weir_optional_dependency name module)
  string(TOUPPER ${name} upper)
  if(NOT WEIR_WITH_${upper} OR TARGET weir_${name})
    return()
  endif()
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(WEIR_${upper} REQUIRED IMPORTED_TARGET GLOBAL ${module})
  add_library(weir_${name} INTERFACE)
  target_link_libraries(weir_${name} INTERFACE PkgConfig::WEIR_${upper})
endfunction()
weir_optional_dependency(sentencepiece sentencepiece)
weir_optional_dependency(utf8proc libutf8proc)
weir_optional_dependency(zlib zlib)
weir_optional_dependency(brotli libbrotlidec)
weir_optional_dependency(zstd libzstd)

find_package(Threads REQUIRED)
